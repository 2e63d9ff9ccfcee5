$(eval $(call unit_test,store_list_test,$(authd_store_OBJS),$(authd_store_LIBS)))
