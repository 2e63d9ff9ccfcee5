ifeq ($(TESTING),yes)
$(eval $(call unit_test,imsg_test,$(imsg_OBJS) common/base/clock.o common/base/log.o common/base/compat.o,$(EVENT_LIBS)))
endif
