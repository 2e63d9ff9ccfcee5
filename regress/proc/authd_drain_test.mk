$(eval $(call proc_test,authd_drain_test,$(authd_drive_OBJS),$(SQLITE_LIBS) $(SODIUM_LIBS)))
regress/proc/authd_drain_test: | libexec/authd
