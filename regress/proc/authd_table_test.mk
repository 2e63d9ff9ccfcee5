$(eval $(call proc_test,authd_table_test,regress/lib/authd_story.o regress/lib/world.o regress/lib/walk.o regress/lib/drive.o $(filter-out authd/authd.o,$(authd_OBJS)),$(authd_LIBS)))
regress/proc/authd_table_test: | libexec/authd
