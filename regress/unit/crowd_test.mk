$(eval $(call unit_test,crowd_test,common/net/crowd.o common/base/addr.o common/base/compat.o $(head_OBJS),$(LLHTTP_LIBS) $(SODIUM_LIBS)))
