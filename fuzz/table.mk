$(eval $(call fuzz_target,table,relayd/table.o $(imsg_PURE_OBJS) common/base/compat.o,))
