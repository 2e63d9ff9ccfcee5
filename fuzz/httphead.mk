$(eval $(call fuzz_target,httphead,$(head_OBJS),$(SODIUM_LIBS) $(LLHTTP_LIBS)))
