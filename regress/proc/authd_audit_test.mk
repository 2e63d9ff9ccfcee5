$(eval $(call proc_test,authd_audit_test,$(authd_drive_OBJS) common/ctl/ctl.o,$(SQLITE_LIBS) $(SODIUM_LIBS)))
regress/proc/authd_audit_test: | libexec/authd
