$(eval $(call proc_test,keyd_test,common/tls/chain.o regress/lib/drive.o $(proc_OBJS),$(EVENT_LIBS) $(SODIUM_LIBS) $(CRYPTO_LIBS)))
