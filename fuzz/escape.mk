$(eval $(call fuzz_target,escape,relay/escape.o,))
