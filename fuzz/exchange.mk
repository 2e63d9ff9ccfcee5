$(eval $(call fuzz_target,exchange,fuzz/process.o fuzz/heard.o $(filter-out proxyd/proxyd.o common/proc/proc.o,$(proxyd_OBJS)),$(proxyd_LIBS)))
