$(eval $(call unit_test,users_test,muxd/users.o muxd/text.o common/ws/ws_utf8.o common/base/compat.o,$(JANSSON_LIBS)))
