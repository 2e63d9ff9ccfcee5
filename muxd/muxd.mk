# SPDX-License-Identifier: ISC

# What an intruder finds in a tunnel's process: adding an object here is a
# security decision. jansson, not cJSON as elsewhere: this program is static,
# and of the two Debian has an archive of jansson only.
muxd_OBJS = muxd/muxd.o muxd/orders.o muxd/login.o muxd/tunnel.o \
	muxd/control.o muxd/bridge.o muxd/bridge_in.o muxd/bridge_base.o \
	muxd/manifest.o muxd/diag.o muxd/users.o muxd/text.o \
	muxd/authd.o muxd/command.o muxd/lease.o muxd/exit.o common/base/target.o common/http/reply.o \
	$(wipe_OBJS) $(proc_OBJS) $(link_OBJS) $(doc_OBJS) $(mux_OBJS) $(head_OBJS) $(lean_OBJS)
muxd_LIBS = $(EVENT_LIBS) $(SODIUM_LIBS) $(JANSSON_LIBS) $(LLHTTP_LIBS)
muxd_STATIC = yes
