$(eval $(call fuzz_target,manifest,muxd/manifest.o muxd/text.o common/target.o,$(JANSSON_LIBS)))
