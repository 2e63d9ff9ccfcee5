$(eval $(call unit_test,manifest_test,muxd/manifest.o muxd/text.o common/ws/ws_utf8.o common/base/target.o,$(JANSSON_LIBS)))
