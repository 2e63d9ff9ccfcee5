$(eval $(call unit_test,metrics_test,$(metrics_OBJS) common/metrics/count.o common/proc/roles.o common/base/log.o common/base/compat.o,))
