$(eval $(call unit_test,conninfo_test,common/base/conninfo.o common/base/compat.o,$(PQ_LIBS)))
