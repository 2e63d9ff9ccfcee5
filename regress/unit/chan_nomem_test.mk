$(eval $(call unit_test,chan_nomem_test,common/imsg/call.o $(imsg_PURE_OBJS) common/base/clock.o common/base/log.o common/base/compat.o,$(EVENT_LIBS)))
