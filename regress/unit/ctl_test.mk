$(eval $(call unit_test,ctl_test,relayctl/cmd.o $(rows_OBJS) $(ctl_OBJS) $(imsg_PURE_OBJS) common/base/compat.o,$(CJSON_LIBS)))
