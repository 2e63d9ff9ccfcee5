$(eval $(call fuzz_target,manifest,muxd/manifest.o muxd/text.o common/ws/ws_utf8.o common/base/target.o,$(JANSSON_LIBS)))
