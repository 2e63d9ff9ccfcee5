$(eval $(call unit_test,secret_test,authd/cred/secret.o common/base/compat.o,$(SODIUM_LIBS)))
