$(eval $(call unit_test,conf_test,common/conf.o common/msg.o common/compat.o,))
