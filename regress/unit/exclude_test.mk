$(eval $(call unit_test,exclude_test,tunnel-client/services.o common/log.o common/compat.o $(ws_OBJS),))
