$(eval $(call proc_test,authd_forward_test,$(authd_drive_OBJS),$(SQLITE_LIBS)))
regress/proc/authd_forward_test: | libexec/authd
