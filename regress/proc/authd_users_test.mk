$(eval $(call proc_test,authd_users_test,$(authd_drive_OBJS),$(SQLITE_LIBS) $(SODIUM_LIBS)))
regress/proc/authd_users_test: | libexec/authd
