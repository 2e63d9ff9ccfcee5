$(eval $(call proc_test,proxyd_cookie_test,common/base/reference.o regress/lib/proxyd_story.o regress/lib/drive.o $(proc_OBJS),$(EVENT_LIBS) $(SODIUM_LIBS)))
