# A real muxd, everybody around it played by muxd_drive.c.
muxd_drive_OBJS = regress/unit/muxd_drive.o common/imsg.o common/msg.o \
	common/conf.o common/compat.o $(ws_OBJS)
muxd_DRIVEN = muxd_bulk_test muxd_control_test muxd_login_test \
	muxd_proto_test muxd_stream_test
$(addprefix regress/unit/,$(muxd_DRIVEN) muxd_memory_test): | $(OUT_muxd)
$(foreach t,$(muxd_DRIVEN),$(eval $(call \
	unit_test,$(t),$(muxd_drive_OBJS),)))
$(eval $(call unit_fast_test,muxd_memory_test,$(muxd_drive_OBJS),))
