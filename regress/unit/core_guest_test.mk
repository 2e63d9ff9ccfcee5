$(eval $(call unit_test,core_guest_test,$(authd_core_OBJS) $(imsg_PURE_OBJS) common/proc/conf.o common/base/index.o common/base/target.o common/base/uuid.o common/base/compat.o,$(SODIUM_LIBS)))
