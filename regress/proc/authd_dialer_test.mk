$(eval $(call proc_test,authd_dialer_test,$(authd_drive_OBJS),$(SQLITE_LIBS)))
regress/proc/authd_dialer_test: | libexec/authd
