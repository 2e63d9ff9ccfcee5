$(eval $(call fuzz_target,cookie_fuzz,proxyd/http/cookie.o common/base/reference.o common/base/compat.o $(head_OBJS),$(LLHTTP_LIBS) $(SODIUM_LIBS) $(CJSON_LIBS)))
