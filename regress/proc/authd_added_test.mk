$(eval $(call proc_test,authd_added_test,$(authd_drive_OBJS),$(SQLITE_LIBS) $(SODIUM_LIBS)))
regress/proc/authd_added_test: | libexec/authd
