$(eval $(call unit_test,authd_login_test,$(authd_drive_OBJS),$(SQLITE_LIBS)))
regress/unit/authd_login_test: | libexec/authd
