$(eval $(call unit_test,merge_test,proxyd/job/merge.o,$(CJSON_LIBS)))
