ifeq ($(TESTING),yes)
$(eval $(call unit_test,clock_test,common/clock.o common/log.o common/compat.o,$(EVENT_LIBS)))
endif
