$(eval $(call unit_test,proxyd_hostile_test,regress/unit/proxyd_drive.o $(proc_OBJS),$(EVENT_LIBS) $(SODIUM_LIBS)))
