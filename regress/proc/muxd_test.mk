# A real muxd, everybody around it played by muxd_story.c.
muxd_drive_OBJS = regress/lib/muxd_story.o regress/lib/walk.o \
	$(drive_OBJS) $(ws_OBJS)
muxd_DRIVEN = muxd_bulk_test muxd_command_test muxd_control_test muxd_login_test \
	muxd_proto_test muxd_stream_test
$(addprefix regress/lib/,$(muxd_DRIVEN) muxd_memory_test): | $(OUT_muxd)
$(foreach t,$(muxd_DRIVEN),$(eval $(call \
	proc_test,$(t),$(muxd_drive_OBJS),)))
$(eval $(call proc_fast_test,muxd_memory_test,$(muxd_drive_OBJS),))
