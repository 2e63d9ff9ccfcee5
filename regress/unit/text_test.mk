$(eval $(call unit_test,text_test,common/base/text.o common/ws/ws_utf8.o,))
