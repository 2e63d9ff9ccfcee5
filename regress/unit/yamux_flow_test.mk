$(eval $(call unit_test,yamux_flow_test,$(yamux_OBJS),))
