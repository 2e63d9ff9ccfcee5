$(eval $(call fuzz_target,services,tunnel-client/services.o tunnel-client/url.o tunnel-client/duration.o tunnel-client/retryafter.o common/log.o common/compat.o $(ws_OBJS),))
