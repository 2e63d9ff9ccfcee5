$(eval $(call unit_test,clientconf_test,tunnel-client/options.o common/log.o common/compat.o,))
