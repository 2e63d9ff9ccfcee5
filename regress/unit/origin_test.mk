$(eval $(call unit_test,origin_test,proxyd/http/origin.o proxyd/http/host.o common/base/label.o common/base/compat.o $(head_OBJS),$(LLHTTP_LIBS) $(SODIUM_LIBS)))
