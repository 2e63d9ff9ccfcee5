$(eval $(call fuzz_target,target,common/base/target.o,))
