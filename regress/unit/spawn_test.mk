$(eval $(call unit_test,spawn_test,common/compat_spawn.o,))
