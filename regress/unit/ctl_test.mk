$(eval $(call unit_test,ctl_test,relayctl/cmd.o relayctl/output.o control/check.o $(imsg_PURE_OBJS) common/base/compat.o,$(CJSON_LIBS)))
