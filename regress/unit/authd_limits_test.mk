$(eval $(call unit_test,authd_limits_test,$(authd_drive_OBJS),$(SQLITE_LIBS)))
regress/unit/authd_limits_test: | libexec/authd
