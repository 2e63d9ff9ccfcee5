$(eval $(call unit_test,exclude_test,tunnel-client/services.o common/base/log.o common/base/target.o common/base/compat.o,))
