$(eval $(call unit_test,clientconf_test,$(client_options_OBJS),$(SODIUM_LIBS)))
