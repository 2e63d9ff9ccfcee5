$(eval $(call fuzz_target,clientproxy,common/net/proxy.o common/net/url.o common/base/target.o common/base/compat.o,$(SODIUM_LIBS)))
