$(eval $(call proc_test,parent_test,regress/lib/walk.o $(parent_world_OBJS),$(EVENT_LIBS) $(SODIUM_LIBS)))
