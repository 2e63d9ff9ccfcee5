$(eval $(call unit_test,clientconsent_test,tunnel-client/consent.o tunnel-client/owned.o tunnel-client/when.o tunnel-client/duration.o common/base/compat.o common/base/log.o,$(CJSON_LIBS)))
