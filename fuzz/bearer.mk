$(eval $(call fuzz_target,bearer,authd/cred/issuer.o authd/cred/jwk.o authd/cred/jwt.o $(dialerd_docs_OBJS) common/base/compat.o,$(SODIUM_LIBS) $(CRYPTO_LIBS) $(CJSON_LIBS) -lm))
