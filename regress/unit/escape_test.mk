$(eval $(call unit_test,escape_test,relay/escape.o,))
