ifeq ($(TESTING),yes)
$(eval $(call unit_test,mux_test,$(mux_OBJS) common/base/clock.o common/base/log.o common/base/compat.o,$(EVENT_LIBS)))
endif
