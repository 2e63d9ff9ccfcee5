$(eval $(call proc_test,authd_restart_test,$(authd_drive_OBJS),$(SQLITE_LIBS)))
regress/proc/authd_restart_test: | libexec/authd
