$(eval $(call unit_test,budget_test,authd/core/budget.o common/base/index.o common/base/compat.o,$(SODIUM_LIBS)))
