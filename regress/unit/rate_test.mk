$(eval $(call unit_test,rate_test,authd/rate.o common/clock.o common/log.o common/compat.o,$(SODIUM_LIBS) $(EVENT_LIBS)))
