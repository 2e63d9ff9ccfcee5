$(eval $(call unit_test,pgtext_test,authd/store/pg/dialect.o authd/store/pg/param.o common/base/compat.o,))
