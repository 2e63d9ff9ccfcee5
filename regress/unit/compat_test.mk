$(eval $(call unit_test,compat_test,common/base/compat.o,))
