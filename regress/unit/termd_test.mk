ifeq ($(TESTING),yes)
termd_drive_OBJS = regress/unit/termd_drive.o common/imsg.o common/msg.o \
	common/conf.o common/compat.o $(ws_OBJS)
regress/unit/termd_drive_test: | $(OUT_termd)
$(eval $(call unit_test,termd_drive_test,$(termd_drive_OBJS),))
regress/unit/termd_end_test: | $(OUT_termd)
$(eval $(call unit_test,termd_end_test,$(termd_drive_OBJS),))
endif
