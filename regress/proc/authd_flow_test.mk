$(eval $(call proc_test,authd_flow_test,$(authd_drive_OBJS),$(SQLITE_LIBS)))
regress/proc/authd_flow_test: | libexec/authd
