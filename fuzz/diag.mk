$(eval $(call fuzz_target,diag,muxd/diag.o muxd/text.o,$(JANSSON_LIBS)))
