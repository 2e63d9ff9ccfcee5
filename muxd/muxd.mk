# SPDX-License-Identifier: ISC

muxd_OBJS = muxd/muxd.o muxd/orders.o muxd/login.o muxd/tunnel.o \
	muxd/control.o muxd/bridge.o muxd/bridge_in.o muxd/bridge_base.o \
	muxd/send.o muxd/manifest.o muxd/diag.o muxd/text.o muxd/authd.o \
	muxd/lease.o muxd/out.o muxd/exit.o \
	common/base/target.o common/http/reply.o $(proc_OBJS) $(link_OBJS) $(doc_OBJS) $(yamux_OBJS) $(ws_OBJS) \
	$(head_OBJS)
muxd_LIBS = $(EVENT_LIBS) $(SODIUM_LIBS) $(JANSSON_LIBS) $(LLHTTP_LIBS)
muxd_STATIC = yes
