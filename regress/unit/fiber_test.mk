$(eval $(call unit_test,fiber_test,authd/store/pg/fiber.o common/base/compat.o,))
