$(eval $(call fuzz_target,reqhead_fuzz,$(proxyd_HDR_OBJS) common/label.o common/conf.o common/compat.o $(httphead_OBJS),$(LLHTTP_LIBS) $(SODIUM_LIBS) $(CJSON_LIBS)))
