$(eval $(call unit_test,authd_flow_test,$(authd_drive_OBJS),$(SQLITE_LIBS)))
regress/unit/authd_flow_test: | libexec/authd
