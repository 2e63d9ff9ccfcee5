# SPDX-License-Identifier: ISC

# Pure: bytes in, bytes out. The tests and fuzz targets link these alone.
proxyd_HDR_OBJS = proxyd/addr.o proxyd/cookie.o proxyd/flow.o proxyd/host.o \
	proxyd/reqhdr.o proxyd/resphdr.o proxyd/route.o

proxyd_OBJS = proxyd/proxyd.o proxyd/answer.o proxyd/api.o proxyd/authd.o \
	proxyd/buf.o proxyd/conn.o proxyd/forward.o proxyd/give.o \
	proxyd/grant.o proxyd/listen.o proxyd/rate.o proxyd/request.o \
	proxyd/session.o proxyd/stream.o $(proxyd_HDR_OBJS) \
	common/label.o common/reply.o common/ws_utf8.o common/ws_mask.o \
	$(proc_OBJS) $(httphead_OBJS) $(ws_accept_OBJS)
proxyd_LIBS = $(LLHTTP_LIBS) $(EVENT_LIBS) $(SODIUM_LIBS) $(CRYPTO_LIBS) \
	$(CJSON_LIBS)
