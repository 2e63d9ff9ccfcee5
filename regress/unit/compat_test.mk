$(eval $(call unit_test,compat_test,common/compat.o,))
