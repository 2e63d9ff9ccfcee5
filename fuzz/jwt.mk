$(eval $(call fuzz_target,jwt,authd/jwt.o authd/claims.o authd/secret.o common/compat.o,$(SODIUM_LIBS) $(CRYPTO_LIBS) $(CJSON_LIBS) -lm))
