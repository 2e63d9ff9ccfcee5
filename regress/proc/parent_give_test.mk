$(eval $(call proc_test,parent_give_test,$(parent_world_OBJS),$(EVENT_LIBS) $(SODIUM_LIBS)))
