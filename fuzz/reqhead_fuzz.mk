$(eval $(call fuzz_target,reqhead_fuzz,$(proxyd_HDR_OBJS) common/base/label.o common/proc/conf.o common/base/compat.o $(head_OBJS),$(LLHTTP_LIBS) $(SODIUM_LIBS) $(CJSON_LIBS)))
