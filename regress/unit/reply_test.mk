$(eval $(call unit_test,reply_test,common/http/reply.o common/ws/ws_utf8.o,$(CJSON_LIBS)))
