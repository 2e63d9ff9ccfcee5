$(eval $(call unit_test,seal_test,authd/cred/jwt.o authd/cred/claims.o authd/cred/secret.o common/base/compat.o,$(SODIUM_LIBS) $(CJSON_LIBS) -lm))
