$(eval $(call unit_test,sieve_test,$(proxyd_HDR_OBJS) common/base/label.o common/base/compat.o $(head_OBJS),$(LLHTTP_LIBS) $(SODIUM_LIBS) $(CJSON_LIBS)))
