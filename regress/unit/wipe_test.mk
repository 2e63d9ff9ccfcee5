$(eval $(call unit_test,wipe_test,$(wipe_json_OBJS) common/base/clock.o common/base/log.o common/base/compat.o,$(EVENT_LIBS) $(CJSON_LIBS)))
