$(eval $(call unit_test,msg_test,$(imsg_PURE_OBJS) common/base/compat.o,))
