$(eval $(call proc_fast_test,proxyd_held_test,regress/lib/proxyd_story.o regress/lib/drive.o $(proc_OBJS),$(EVENT_LIBS) $(SODIUM_LIBS) $(ZLIB_LIBS)))
