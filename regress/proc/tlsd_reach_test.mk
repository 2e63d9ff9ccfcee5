$(eval $(call proc_test,tlsd_reach_test,regress/lib/drive.o $(proc_OBJS),$(EVENT_LIBS) $(SODIUM_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS)))
