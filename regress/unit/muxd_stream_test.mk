muxd_drive_OBJS = regress/unit/muxd_drive.o common/imsg.o common/msg.o common/conf.o common/compat.o $(ws_OBJS)
regress/unit/muxd_stream_test: | $(OUT_muxd)
$(eval $(call unit_test,muxd_stream_test,$(muxd_drive_OBJS),))
