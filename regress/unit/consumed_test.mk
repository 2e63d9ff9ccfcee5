$(eval $(call unit_fast_test,consumed_test,authd/core/consumed.o,$(SODIUM_LIBS)))
