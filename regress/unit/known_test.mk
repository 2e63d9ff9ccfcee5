$(eval $(call unit_test,known_test,authd/cred/known.o authd/cred/secret.o common/base/index.o common/base/compat.o,$(SODIUM_LIBS)))
