$(eval $(call proc_test,authd_slow_test,$(authd_drive_OBJS),$(SQLITE_LIBS)))
regress/proc/authd_slow_test: | libexec/authd
