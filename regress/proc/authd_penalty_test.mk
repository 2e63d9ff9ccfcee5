$(eval $(call proc_fast_test,authd_penalty_test,$(authd_drive_OBJS),$(SQLITE_LIBS)))
regress/proc/authd_penalty_test: | libexec/authd
