$(eval $(call fuzz_target,pgtext,authd/store/pg/dialect.o authd/store/pg/param.o common/ws/ws_utf8.o common/base/compat.o,))
