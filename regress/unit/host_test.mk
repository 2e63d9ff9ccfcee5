$(eval $(call unit_test,host_test,proxyd/http/host.o common/base/addr.o common/base/label.o common/base/compat.o $(head_OBJS),$(LLHTTP_LIBS) $(SODIUM_LIBS)))
