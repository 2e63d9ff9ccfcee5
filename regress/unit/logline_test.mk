$(eval $(call unit_test,logline_test,relayd/logline.o common/base/log.o common/base/uuid.o common/base/compat.o,$(CJSON_LIBS)))
