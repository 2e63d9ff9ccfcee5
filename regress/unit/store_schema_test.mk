$(eval $(call unit_test,store_schema_test,$(authd_store_OBJS) storecopy/tables.o,$(authd_store_LIBS)))
