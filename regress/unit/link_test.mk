$(eval $(call unit_test,link_test,$(link_OBJS) $(imsg_OBJS) common/base/clock.o common/base/log.o common/base/compat.o,$(EVENT_LIBS)))
