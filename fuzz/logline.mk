$(eval $(call fuzz_target,logline,relayd/logline.o common/base/log.o common/base/uuid.o common/base/compat.o,$(CJSON_LIBS)))
