$(eval $(call fuzz_target,ws_relay,$(ws_OBJS),))
