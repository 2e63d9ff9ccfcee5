$(eval $(call proc_test,authd_grant_test,$(authd_drive_OBJS),$(SQLITE_LIBS)))
regress/proc/authd_grant_test: | libexec/authd
