$(eval $(call unit_test,lenient_test,regress/lib/passedon.o proxyd/http/lenient.o proxyd/http/flow.o proxyd/http/stage.o common/base/compat.o $(head_OBJS),$(LLHTTP_LIBS) $(SODIUM_LIBS)))
