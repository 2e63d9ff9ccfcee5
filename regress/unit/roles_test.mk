$(eval $(call unit_test,roles_test,common/proc/roles.o,))
