$(eval $(call unit_test,route_test,$(proxyd_HDR_OBJS) common/label.o common/conf.o common/compat.o $(httphead_OBJS),$(LLHTTP_LIBS) $(SODIUM_LIBS) $(CJSON_LIBS)))
