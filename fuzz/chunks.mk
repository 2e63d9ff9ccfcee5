$(eval $(call fuzz_target,chunks,regress/lib/passedon.o proxyd/http/flow.o proxyd/http/stage.o common/base/compat.o $(head_OBJS),$(SODIUM_LIBS) $(LLHTTP_LIBS)))
