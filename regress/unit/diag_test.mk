$(eval $(call unit_test,diag_test,muxd/diag.o muxd/text.o common/ws/ws_utf8.o,$(JANSSON_LIBS)))
