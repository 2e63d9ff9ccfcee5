$(eval $(call unit_test,log_test,common/log.o,))
