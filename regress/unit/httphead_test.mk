$(eval $(call unit_test,httphead_test,$(httphead_OBJS),$(SODIUM_LIBS) $(LLHTTP_LIBS)))
