$(eval $(call proc_test,authd_login_test,$(authd_drive_OBJS),$(SQLITE_LIBS)))
regress/proc/authd_login_test: | libexec/authd
