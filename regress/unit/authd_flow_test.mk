$(eval $(call unit_test,authd_flow_test,$(authd_drive_OBJS),))
regress/unit/authd_flow_test: | libexec/authd
