$(eval $(call unit_test,conf_test,common/proc/conf.o common/proc/conf_set.o $(imsg_PURE_OBJS) common/base/compat.o,))
