$(eval $(call unit_test,pair_test,regress/lib/pairsound.o $(paird_CORE_OBJS) common/base/compat.o,$(SODIUM_LIBS)))
