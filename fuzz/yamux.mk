$(eval $(call fuzz_target,yamux,$(yamux_OBJS),))
