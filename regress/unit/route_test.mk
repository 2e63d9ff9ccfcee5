$(eval $(call unit_test,route_test,$(proxyd_HDR_OBJS) common/base/uuid.o common/base/label.o common/proc/conf.o common/base/compat.o $(head_OBJS),$(LLHTTP_LIBS) $(SODIUM_LIBS) $(CJSON_LIBS)))
