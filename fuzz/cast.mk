$(eval $(call fuzz_target,cast,termd/cast.o,$(CJSON_LIBS)))
