ifeq ($(TESTING),yes)
$(eval $(call unit_test,clock_test,common/base/clock.o common/base/log.o common/base/compat.o,$(EVENT_LIBS)))
endif
