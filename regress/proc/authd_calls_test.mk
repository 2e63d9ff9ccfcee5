$(eval $(call proc_test,authd_calls_test,$(authd_drive_OBJS),$(SQLITE_LIBS) $(SODIUM_LIBS)))
regress/proc/authd_calls_test: | libexec/authd
