$(eval $(call fuzz_target,host_fuzz,proxyd/http/host.o common/base/label.o common/base/compat.o $(head_OBJS),$(LLHTTP_LIBS) $(SODIUM_LIBS)))
