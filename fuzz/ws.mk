$(eval $(call fuzz_target,ws,$(ws_OBJS),))
