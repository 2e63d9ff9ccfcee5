$(eval $(call fuzz_target,httphead,$(httphead_OBJS),$(SODIUM_LIBS) $(LLHTTP_LIBS)))
