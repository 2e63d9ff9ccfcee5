$(eval $(call fuzz_target,users,muxd/users.o muxd/text.o common/ws/ws_utf8.o common/base/compat.o,$(JANSSON_LIBS)))
