$(eval $(call unit_fast_test,proxyd_bulk_test,regress/unit/proxyd_drive.o $(proc_OBJS),$(EVENT_LIBS) $(SODIUM_LIBS)))
