$(eval $(call proc_test,authd_shares_test,$(authd_drive_OBJS),$(SQLITE_LIBS)))
regress/proc/authd_shares_test: | libexec/authd
