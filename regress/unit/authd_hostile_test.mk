$(eval $(call unit_test,authd_hostile_test,$(authd_drive_OBJS),$(SQLITE_LIBS)))
regress/unit/authd_hostile_test: | libexec/authd
