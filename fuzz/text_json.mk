$(eval $(call fuzz_target,text_json,muxd/text.o common/ws/ws_utf8.o,$(JANSSON_LIBS)))
