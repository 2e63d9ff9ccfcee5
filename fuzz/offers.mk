$(eval $(call fuzz_target,offers,authd/msg/offers.o authd/core/services.o authd/core/budget.o common/base/index.o common/base/target.o common/base/compat.o,$(SODIUM_LIBS) $(CJSON_LIBS)))
