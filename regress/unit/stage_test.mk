$(eval $(call unit_test,stage_test,proxyd/http/stage.o common/base/compat.o $(head_OBJS),$(LLHTTP_LIBS) $(SODIUM_LIBS)))
