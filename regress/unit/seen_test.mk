$(eval $(call unit_test,seen_test,authd/cred/seen.o common/base/compat.o,))
