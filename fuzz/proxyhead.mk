$(eval $(call fuzz_target,proxyhead,common/net/proxyhead.o common/base/addr.o common/base/compat.o,))
