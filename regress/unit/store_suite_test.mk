$(eval $(call unit_test,store_suite_test,$(storeworld_OBJS),$(storeworld_LIBS)))
