$(eval $(call proc_test,spawn_test,common/base/compat_spawn.o,))
