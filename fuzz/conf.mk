$(eval $(call fuzz_target,conf,$(cfg_OBJS),))
