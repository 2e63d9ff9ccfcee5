$(eval $(call fuzz_target,conninfo,common/base/conninfo.o common/base/compat.o,$(PQ_LIBS)))
