ifeq ($(TESTING),yes)
$(eval $(call unit_test,imsg_test,common/imsg/imsg.o common/imsg/chan.o common/imsg/msg.o common/base/clock.o common/base/log.o common/base/compat.o,$(EVENT_LIBS)))
endif
