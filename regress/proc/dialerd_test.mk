# Its name server is told by the environment, which only this build leaves alone.
ifeq ($(TESTING)$(SANITIZERS),yesyes)
$(eval $(call proc_test,dialerd_test,$(drive_OBJS),))
regress/proc/dialerd_test: | $(OUT_dialerd)
endif
