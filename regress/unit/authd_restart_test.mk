$(eval $(call unit_test,authd_restart_test,$(authd_drive_OBJS),$(SQLITE_LIBS)))
regress/unit/authd_restart_test: | libexec/authd
