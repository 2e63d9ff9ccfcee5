$(eval $(call proc_test,authd_limits_test,$(authd_drive_OBJS),$(SQLITE_LIBS)))
regress/proc/authd_limits_test: | libexec/authd
