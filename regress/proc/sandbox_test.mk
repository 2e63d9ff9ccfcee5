sandbox_test_OBJS = regress/proc/sandbox_prod.o common/proc/sandbox_linux.o \
	common/imsg/imsg.o common/imsg/msg.o common/base/log.o common/base/compat.o
$(eval $(call proc_test,sandbox_test,$(sandbox_test_OBJS),$(SQLITE_LIBS)))
