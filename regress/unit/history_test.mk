$(eval $(call unit_test,history_test,common/metrics/history.o $(metrics_OBJS) common/proc/roles.o,))
