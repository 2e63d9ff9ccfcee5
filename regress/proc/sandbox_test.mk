$(eval $(call proc_test,sandbox_test,$(sandbox_child_OBJS),$(SQLITE_LIBS)))
