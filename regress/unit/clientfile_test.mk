$(eval $(call unit_test,clientfile_test,$(client_options_OBJS),$(SODIUM_LIBS)))
