$(eval $(call proc_test,authd_systems_test,$(authd_drive_OBJS),$(SQLITE_LIBS) $(SODIUM_LIBS)))
regress/proc/authd_systems_test: | libexec/authd
