$(eval $(call unit_test,store_plan_test,$(authd_store_OBJS),$(authd_store_LIBS)))
