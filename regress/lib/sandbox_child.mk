sandbox_child_OBJS = regress/lib/sandbox_child.o \
	regress/proc/sandbox_prod.o common/proc/sandbox_limits.o common/proc/sandbox_linux.o \
	$(imsg_PURE_OBJS) common/base/log.o common/base/compat.o
