$(eval $(call unit_test,secret_test,authd/secret.o common/compat.o,$(SODIUM_LIBS)))
