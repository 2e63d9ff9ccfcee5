regress/unit/host_test.o regress/unit/cookie_test.o regress/unit/route_test.o: CPPFLAGS += -I$(srcdir)/proxyd
$(eval $(call unit_test,host_test,proxyd/host.o proxyd/addr.o common/label.o common/compat.o $(httphead_OBJS),$(LLHTTP_LIBS) $(SODIUM_LIBS)))
