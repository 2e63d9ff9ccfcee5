$(eval $(call fuzz_target,scrape,metricd/request.o $(head_OBJS) common/base/compat.o,$(LLHTTP_LIBS) $(SODIUM_LIBS)))
