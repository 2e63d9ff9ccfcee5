$(eval $(call unit_test,said_test,authd/redis/said.o authd/cred/shared.o common/base/uuid.o common/base/compat.o,$(SODIUM_LIBS) $(CJSON_LIBS) -lm))
