$(eval $(call fuzz_target,manifest,muxd/manifest.o muxd/text.o common/base/target.o,$(JANSSON_LIBS)))
