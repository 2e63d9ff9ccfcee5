$(eval $(call unit_test,authd_table_test,regress/unit/authd_drive.o $(filter-out authd/authd.o,$(authd_OBJS)),$(authd_LIBS)))
regress/unit/authd_table_test: | libexec/authd
