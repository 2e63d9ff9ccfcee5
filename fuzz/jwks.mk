$(eval $(call fuzz_target,jwks,$(dialerd_docs_OBJS) authd/cred/jwk.o common/base/compat.o,$(SODIUM_LIBS) $(CRYPTO_LIBS) $(CJSON_LIBS) -lm))
