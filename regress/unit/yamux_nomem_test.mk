$(eval $(call unit_test,yamux_nomem_test,,))
