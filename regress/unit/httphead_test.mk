$(eval $(call unit_test,httphead_test,$(head_OBJS),$(SODIUM_LIBS) $(LLHTTP_LIBS)))
