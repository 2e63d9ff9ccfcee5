$(eval $(call unit_test,ctl_test,relayctl/cmd.o relayctl/output.o control/check.o common/imsg/imsg.o common/base/compat.o,$(CJSON_LIBS)))
