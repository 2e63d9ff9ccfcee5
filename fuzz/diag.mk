$(eval $(call fuzz_target,diag,muxd/diag.o muxd/text.o common/ws/ws_utf8.o,$(JANSSON_LIBS)))
