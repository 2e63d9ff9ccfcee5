$(eval $(call fuzz_target,resize,termd/resize.o,))
