$(eval $(call unit_test,services_test,tunnel-client/services.o tunnel-client/catalog.o common/base/log.o common/base/target.o common/base/compat.o,$(CJSON_LIBS)))
