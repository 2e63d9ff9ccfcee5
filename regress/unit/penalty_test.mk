$(eval $(call unit_test,penalty_test,authd/core/penalty.o common/base/addr.o common/base/compat.o,$(SODIUM_LIBS)))
