$(eval $(call unit_test,ws_conform_test,$(ws_OBJS),$(WSLAY_LIBS)))
