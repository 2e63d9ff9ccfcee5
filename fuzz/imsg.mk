$(eval $(call fuzz_target,imsg,$(imsg_PURE_OBJS) common/proc/conf.o common/base/compat.o,))
