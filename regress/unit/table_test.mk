$(eval $(call unit_test,table_test,relayd/table.o $(imsg_PURE_OBJS) common/base/compat.o,))
