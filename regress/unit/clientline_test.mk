$(eval $(call unit_test,clientline_test,tunnel-client/firstline.o tunnel-client/termframe.o tunnel-client/jsonend.o,$(CJSON_LIBS)))
