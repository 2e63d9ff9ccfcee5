$(eval $(call fuzz_target,merge,proxyd/job/merge.o,$(CJSON_LIBS)))
