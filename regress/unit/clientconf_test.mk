$(eval $(call unit_test,clientconf_test,tunnel-client/options.o tunnel-client/duration.o common/base/log.o common/base/compat.o,))
