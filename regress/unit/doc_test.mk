$(eval $(call unit_test,doc_test,$(doc_OBJS) common/base/compat.o,))
