$(eval $(call unit_test,proxyhead_test,common/net/proxyhead.o common/base/addr.o common/base/compat.o,))
