$(eval $(call unit_test,clientconf_test,tunnel-client/options.o tunnel-client/duration.o common/log.o common/compat.o,))
