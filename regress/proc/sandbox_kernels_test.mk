$(eval $(call proc_test,sandbox_kernels_test,$(sandbox_child_OBJS),))
