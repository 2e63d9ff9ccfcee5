$(eval $(call proc_test,authd_sibling_test,$(authd_drive_OBJS),$(SQLITE_LIBS)))
regress/proc/authd_sibling_test: | libexec/authd
