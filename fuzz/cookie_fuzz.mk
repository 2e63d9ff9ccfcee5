$(eval $(call fuzz_target,cookie_fuzz,proxyd/cookie.o common/compat.o $(httphead_OBJS),$(LLHTTP_LIBS) $(SODIUM_LIBS) $(CJSON_LIBS)))
