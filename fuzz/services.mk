$(eval $(call fuzz_target,services,tunnel-client/services.o common/net/url.o tunnel-client/duration.o tunnel-client/retryafter.o common/base/log.o common/base/target.o common/base/compat.o,))
