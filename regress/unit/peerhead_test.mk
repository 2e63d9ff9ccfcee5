$(eval $(call unit_test,peerhead_test,authd/cred/peerhead.o authd/cred/seen.o authd/cred/shared.o common/net/proxyhead.o common/base/addr.o common/base/compat.o,$(SODIUM_LIBS) $(CRYPTO_LIBS)))
