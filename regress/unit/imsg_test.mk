ifeq ($(TESTING),yes)
$(eval $(call unit_test,imsg_test,common/imsg.o common/chan.o common/msg.o common/clock.o common/log.o common/compat.o,$(EVENT_LIBS)))
endif
