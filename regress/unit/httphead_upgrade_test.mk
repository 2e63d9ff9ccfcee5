$(eval $(call unit_test,httphead_upgrade_test,$(httphead_OBJS),$(SODIUM_LIBS) $(LLHTTP_LIBS)))
