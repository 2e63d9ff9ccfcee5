$(eval $(call fuzz_target,envconf,$(cfg_OBJS),))
