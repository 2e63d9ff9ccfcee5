fuzz/host_fuzz.o fuzz/cookie_fuzz.o fuzz/reqhead_fuzz.o fuzz-obj/fuzz/host_fuzz.o fuzz-obj/fuzz/cookie_fuzz.o fuzz-obj/fuzz/reqhead_fuzz.o: CPPFLAGS += -I$(srcdir)/proxyd
$(eval $(call fuzz_target,host_fuzz,proxyd/host.o common/label.o common/compat.o $(httphead_OBJS),$(LLHTTP_LIBS) $(SODIUM_LIBS)))
