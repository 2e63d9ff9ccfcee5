$(eval $(call unit_test,conf_test,common/proc/conf.o common/imsg/msg.o common/base/compat.o,))
