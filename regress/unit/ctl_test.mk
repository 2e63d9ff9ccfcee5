$(eval $(call unit_test,ctl_test,relayctl/cmd.o relayctl/output.o relayd/control_check.o common/imsg.o common/compat.o,$(CJSON_LIBS)))
