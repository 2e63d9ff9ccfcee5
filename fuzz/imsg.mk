$(eval $(call fuzz_target,imsg,common/imsg/imsg.o common/imsg/msg.o common/proc/conf.o common/base/compat.o,))
