$(eval $(call unit_test,ws_test,$(ws_OBJS) $(ws_accept_OBJS),$(SODIUM_LIBS) $(CRYPTO_LIBS)))
