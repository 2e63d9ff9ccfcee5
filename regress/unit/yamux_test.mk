$(eval $(call unit_test,yamux_test,$(yamux_OBJS),))
