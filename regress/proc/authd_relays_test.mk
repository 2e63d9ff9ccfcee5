$(eval $(call proc_test,authd_relays_test,$(authd_drive_OBJS),$(SQLITE_LIBS) $(SODIUM_LIBS)))
regress/proc/authd_relays_test: | libexec/authd
