sandbox_test_OBJS = regress/unit/sandbox_prod.o common/sandbox_linux.o \
	common/imsg.o common/msg.o common/log.o common/compat.o
$(eval $(call unit_test,sandbox_test,$(sandbox_test_OBJS),$(SQLITE_LIBS)))
