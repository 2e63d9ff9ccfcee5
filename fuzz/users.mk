$(eval $(call fuzz_target,users,muxd/users.o muxd/text.o common/base/compat.o,$(JANSSON_LIBS)))
