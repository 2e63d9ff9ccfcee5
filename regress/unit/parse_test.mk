$(eval $(call unit_test,parse_test,$(cfg_OBJS),))
