$(eval $(call unit_test,urlmap_test,proxyd/http/service.o proxyd/http/urlmap.o proxyd/http/host.o common/base/label.o common/base/compat.o $(head_OBJS),$(LLHTTP_LIBS) $(SODIUM_LIBS)))
