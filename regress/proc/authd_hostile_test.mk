$(eval $(call proc_test,authd_hostile_test,$(authd_drive_OBJS),$(SQLITE_LIBS)))
regress/proc/authd_hostile_test: | libexec/authd
