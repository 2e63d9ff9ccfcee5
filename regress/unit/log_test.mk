$(eval $(call unit_test,log_test,common/base/log.o,))
