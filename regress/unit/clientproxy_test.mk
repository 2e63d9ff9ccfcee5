$(eval $(call unit_test,clientproxy_test,$(client_options_OBJS) tunnel-client/reason.o,$(SODIUM_LIBS) $(CJSON_LIBS)))
