$(eval $(call unit_test,clientproxy_test,$(client_options_OBJS) tunnel-client/reason.o common/net/advice.o,$(SODIUM_LIBS) $(CJSON_LIBS)))
