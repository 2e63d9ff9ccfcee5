$(eval $(call proc_test,proxyd_guest_test,regress/lib/proxyd_story.o regress/lib/drive.o $(proc_OBJS),$(EVENT_LIBS) $(SODIUM_LIBS)))
