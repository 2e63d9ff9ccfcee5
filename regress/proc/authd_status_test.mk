$(eval $(call proc_test,authd_status_test,$(authd_drive_OBJS),$(SQLITE_LIBS) $(SODIUM_LIBS)))
regress/proc/authd_status_test: | libexec/authd
