$(eval $(call unit_test,reply_test,common/reply.o common/ws_utf8.o,$(CJSON_LIBS)))
