$(eval $(call unit_test,target_test,common/target.o,))
