$(eval $(call unit_test,usersdoc_test,tunnel-client/usersdoc.o tunnel-client/jsontext.o common/base/log.o common/base/compat.o $(ws_OBJS),$(CJSON_LIBS) $(SODIUM_LIBS)))
