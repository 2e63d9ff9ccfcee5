$(eval $(call unit_test,authd_grant_test,$(authd_drive_OBJS),$(SQLITE_LIBS)))
regress/unit/authd_grant_test: | libexec/authd
