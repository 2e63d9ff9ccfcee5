$(eval $(call unit_test,target_test,common/base/target.o,))
