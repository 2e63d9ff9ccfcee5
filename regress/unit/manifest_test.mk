$(eval $(call unit_test,manifest_test,muxd/manifest.o muxd/text.o common/base/target.o,$(JANSSON_LIBS)))
