$(eval $(call fuzz_target,imsg,common/imsg.o common/msg.o common/conf.o common/compat.o,))
