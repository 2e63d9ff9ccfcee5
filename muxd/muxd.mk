# SPDX-License-Identifier: ISC

muxd_OBJS = muxd/muxd.o muxd/login.o muxd/tunnel.o muxd/stream.o \
	muxd/stream_in.o muxd/control.o muxd/manifest.o muxd/diag.o \
	muxd/text.o muxd/authd.o muxd/lease.o muxd/out.o \
	common/target.o common/reply.o $(proc_OBJS) $(yamux_OBJS) $(ws_OBJS) \
	$(httphead_OBJS)
muxd_LIBS = $(EVENT_LIBS) $(SODIUM_LIBS) $(JANSSON_LIBS) $(LLHTTP_LIBS)
muxd_STATIC = yes
