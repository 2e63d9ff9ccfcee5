$(eval $(call unit_test,crowd_test,proxyd/door/crowd.o proxyd/door/addr.o common/base/compat.o $(head_OBJS),$(LLHTTP_LIBS) $(SODIUM_LIBS)))
