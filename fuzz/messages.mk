$(eval $(call fuzz_target,messages,fuzz/process.o $(filter-out authd/authd.o common/proc/proc.o,$(authd_OBJS)),$(authd_LIBS)))
# It is authd with another proc.c.
fuzz/messages.o $(FUZZ_O)/fuzz/messages.o: | $(srcdir)/authd/authd.c
