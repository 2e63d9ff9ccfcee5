$(eval $(call unit_test,text_json_test,muxd/text.o common/ws/ws_utf8.o,$(JANSSON_LIBS)))
