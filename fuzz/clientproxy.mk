$(eval $(call fuzz_target,clientproxy,tunnel-client/proxy.o tunnel-client/url.o common/base/target.o common/base/compat.o,$(SODIUM_LIBS)))
