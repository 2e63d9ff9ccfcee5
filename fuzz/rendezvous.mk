$(eval $(call fuzz_target,rendezvous,fuzz/process.o $(filter-out rendd/rendd.o rendd/pair.o common/proc/proc.o,$(rendd_OBJS)),$(rendd_LIBS)))
