$(eval $(call fuzz_target,target,common/target.o,))
