# Memory may run out at each of these.
authd_model_WRAP = -Wl,--wrap=calloc,--wrap=malloc,--wrap=reallocarray,--wrap=free
$(eval $(call unit_fast_test,authd_model_test,regress/lib/authd_world.o $(authd_core_OBJS) $(imsg_PURE_OBJS) common/base/index.o common/base/target.o common/base/uuid.o common/base/compat.o,$(SODIUM_LIBS) $(authd_model_WRAP)))
