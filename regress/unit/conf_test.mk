$(eval $(call unit_test,conf_test,common/proc/conf.o $(imsg_PURE_OBJS) common/base/compat.o,))
