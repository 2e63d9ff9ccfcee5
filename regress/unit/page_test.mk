$(eval $(call unit_test,page_test,proxyd/http/page.o common/http/reply.o common/ws/ws_utf8.o common/base/compat.o,))
