ifeq ($(TESTING),yes)
termd_drive_OBJS = regress/lib/termd_story.o $(drive_OBJS) $(ws_OBJS)
regress/proc/termd_drive_test: | $(OUT_termd)
$(eval $(call proc_test,termd_drive_test,$(termd_drive_OBJS),))
regress/proc/termd_end_test: | $(OUT_termd)
$(eval $(call proc_test,termd_end_test,$(termd_drive_OBJS),))
regress/proc/tcpd_drive_test: | $(OUT_tcpd)
$(eval $(call proc_test,tcpd_drive_test,$(termd_drive_OBJS),))
endif
