$(eval $(call fuzz_target,pairing,regress/lib/pairsound.o $(paird_CORE_OBJS) common/base/compat.o,$(SODIUM_LIBS)))
