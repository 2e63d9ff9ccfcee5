$(eval $(call unit_fast_test,yamux_model_test,$(yamux_OBJS),))
