$(eval $(call fuzz_target,firstline,tunnel-client/firstline.o tunnel-client/termframe.o tunnel-client/jsonend.o,$(CJSON_LIBS)))
