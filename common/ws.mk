# SPDX-License-Identifier: ISC
# ws_accept.o needs OpenSSL: proxyd and the clients only.
ws_OBJS = common/ws.o common/ws_msg.o
ws_accept_OBJS = common/ws_accept.o
# Needs llhttp; upgrade.o libsodium.
httphead_OBJS = common/httphead.o common/httphead_fields.o \
	common/httphead_chunk.o common/upgrade.o
