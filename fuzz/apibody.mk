$(eval $(call fuzz_target,apibody,$(api_OBJS) $(api_PARAMS_OBJS) $(head_OBJS) common/base/compat.o,$(LLHTTP_LIBS) $(SODIUM_LIBS) $(CJSON_LIBS)))
