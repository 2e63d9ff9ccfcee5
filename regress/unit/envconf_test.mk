$(eval $(call unit_test,envconf_test,$(cfg_OBJS),))
