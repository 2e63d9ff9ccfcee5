$(eval $(call unit_test,clientwhen_test,tunnel-client/when.o tunnel-client/duration.o common/base/compat.o,))
