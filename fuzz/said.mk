$(eval $(call fuzz_target,said,authd/redis/said.o authd/cred/shared.o common/base/uuid.o common/base/compat.o,$(SODIUM_LIBS) $(CJSON_LIBS) -lm))
