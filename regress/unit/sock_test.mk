$(eval $(call unit_test,sock_test,common/net/sock.o common/base/clock.o common/base/log.o common/base/compat.o,$(EVENT_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS)))
