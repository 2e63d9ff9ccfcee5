$(eval $(call unit_test,cookie_test,proxyd/cookie.o common/compat.o $(httphead_OBJS),$(LLHTTP_LIBS) $(SODIUM_LIBS) $(CJSON_LIBS)))
