$(eval $(call proc_test,tlsd_test,common/tls/chain.o regress/lib/drive.o $(proc_OBJS),$(EVENT_LIBS) $(SODIUM_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS)))
