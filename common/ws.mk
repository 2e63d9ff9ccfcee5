# SPDX-License-Identifier: ISC
# ws_accept.o needs OpenSSL: proxyd and the clients only.
ws_OBJS = common/ws.o common/ws_out.o common/ws_mask.o common/ws_utf8.o
ws_accept_OBJS = common/ws_accept.o
# Needs llhttp; upgrade.o libsodium.
httphead_OBJS = common/httphead.o common/httphead_scan.o \
	common/httphead_target.o common/httphead_fields.o \
	common/httphead_chunk.o common/upgrade.o
