$(eval $(call unit_test,diag_test,muxd/diag.o muxd/text.o,$(JANSSON_LIBS)))
