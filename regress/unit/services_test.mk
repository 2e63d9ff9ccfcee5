$(eval $(call unit_test,services_test,tunnel-client/services.o tunnel-client/catalog.o common/base/log.o common/base/compat.o $(ws_OBJS),$(CJSON_LIBS)))
