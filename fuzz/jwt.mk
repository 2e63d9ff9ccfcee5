$(eval $(call fuzz_target,jwt,authd/cred/jwt.o authd/cred/claims.o authd/cred/secret.o common/base/compat.o,$(SODIUM_LIBS) $(CJSON_LIBS) -lm))
