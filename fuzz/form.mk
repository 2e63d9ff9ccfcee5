$(eval $(call fuzz_target,form,keyd/form.o,))
