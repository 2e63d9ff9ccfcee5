$(eval $(call unit_test,pair_test,$(paird_CORE_OBJS) common/base/compat.o,$(SODIUM_LIBS)))
