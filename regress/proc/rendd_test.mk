$(eval $(call proc_test,rendd_test,regress/lib/drive.o $(ws_OBJS) $(proc_OBJS),$(EVENT_LIBS) $(SODIUM_LIBS)))
