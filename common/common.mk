# SPDX-License-Identifier: ISC
#
# No library is made of common/: each program lists the objects it links, so
# that its list is complete (see the top of Makefile). The groups are named
# here, one a room.

# What every child links to start, to be shut in and to talk.
# relayctl's requests: relayctl, control, and who answers.
ctl_OBJS = common/ctl/ctl.o

# Without the event loop, for what only packs and parses.
imsg_PURE_OBJS = common/imsg/imsg.o common/imsg/msg.o common/imsg/proto.o common/imsg/wire.o \
	common/proc/roles.o
imsg_OBJS = common/imsg/call.o common/imsg/chan.o $(imsg_PURE_OBJS)
# The operator API as a table; with params.o (llhttp, cJSON) for who reads it.
api_OBJS = common/api/api.o
api_PARAMS_OBJS = common/api/params.o $(text_OBJS)
# Texts of others.
text_OBJS = common/base/text.o common/ws/ws_utf8.o

# What is counted: for who counts, count.o; for who shows it, the table.
metrics_OBJS = common/metrics/table.o
# Who reads the pages of all.
pages_OBJS = common/metrics/pages.o common/metrics/count.o $(metrics_OBJS)

# An allocator for JSON, which may hold secrets.
wipe_OBJS = common/base/wipe.o
wipe_json_OBJS = common/base/wipe_json.o $(wipe_OBJS)

# Longer documents.
doc_OBJS = common/imsg/doc.o
# The channel to authd: every role but the parent and authd itself.
link_OBJS = common/proc/link.o
# Who is there for one stream of an operator.
visit_OBJS = common/proc/visit.o common/http/reply.o $(link_OBJS)
proc_OBJS = common/base/build.o common/base/clock.o common/base/compat.o common/base/log.o \
	$(imsg_OBJS) common/proc/conf.o common/proc/proc.o \
	$(SANDBOX_OBJS)
# Of the static workers: what they do without.
lean_OBJS = $(if $(filter yes,$(LEAN)),common/base/lean.o)

# Needs llhttp; upgrade.o libsodium.
head_OBJS = common/http/head.o common/http/scan.o common/http/reqtarget.o \
	common/http/fields.o common/http/chunk.o common/http/upgrade.o

ws_OBJS = common/ws/ws.o common/ws/ws_out.o common/ws/ws_mask.o \
	common/ws/ws_utf8.o
# Rows on paper.
rows_OBJS = relayctl/output.o relayctl/fit.o common/base/text.o \
	common/ws/ws_utf8.o
# Needs libsodium: proxyd and the clients only.
ws_accept_OBJS = common/ws/ws_accept.o

# Both ends, pure code (no other object needed).
yamux_OBJS = common/yamux/yamux.o common/yamux/yamux_stream.o \
	common/yamux/yamux_window.o

# A tunnel over a connection: with libevent, and all that the pure rooms have.
mux_OBJS = common/mux/bridge.o common/mux/sock.o common/mux/out.o \
	$(yamux_OBJS) $(ws_OBJS)

# To connect as a client: names, TLS (OpenSSL, libevent_extra), a request.
net_OBJS = common/net/advice.o common/net/dial.o common/net/exchange.o common/net/nettls.o \
	common/net/resolve.o common/net/sock.o common/net/url.o
# And through a forward proxy (libsodium).
net_VIA_OBJS = common/net/proxy.o common/net/via.o
