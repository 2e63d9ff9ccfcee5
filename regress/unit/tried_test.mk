$(eval $(call unit_test,tried_test,proxyd/tried.o common/base/rate.o common/base/addr.o common/base/clock.o common/base/log.o common/base/compat.o,$(SODIUM_LIBS) $(EVENT_LIBS)))
