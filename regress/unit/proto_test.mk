$(eval $(call unit_test,proto_test,common/imsg/wire.o,))
