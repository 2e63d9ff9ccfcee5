$(eval $(call unit_test,jwt_test,authd/jwt.o authd/claims.o authd/secret.o common/compat.o,$(SODIUM_LIBS) $(CRYPTO_LIBS) $(CJSON_LIBS) -lm))
