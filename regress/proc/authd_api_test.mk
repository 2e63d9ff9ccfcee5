$(eval $(call proc_test,authd_api_test,$(authd_drive_OBJS),$(SQLITE_LIBS) $(SODIUM_LIBS)))
regress/proc/authd_api_test: | libexec/authd
