$(eval $(call proc_test,authd_deadline_test,$(authd_drive_OBJS),$(SQLITE_LIBS)))
regress/proc/authd_deadline_test: | libexec/authd
