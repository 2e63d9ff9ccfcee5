sandbox_test_OBJS = regress/proc/sandbox_prod.o common/proc/sandbox_limits.o common/proc/sandbox_linux.o \
	$(imsg_PURE_OBJS) common/base/log.o common/base/compat.o
$(eval $(call proc_test,sandbox_test,$(sandbox_test_OBJS),$(SQLITE_LIBS)))
