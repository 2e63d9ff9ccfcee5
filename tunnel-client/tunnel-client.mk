# SPDX-License-Identifier: ISC

tunnel-client_PARTS = announce backoff bridge catalog child command conn \
	connect diag dial duration firstline handshake jsonend main options \
	plugin resolve retryafter services shell stream system termframe \
	terminal tunnel url
tunnel-client_OBJS = $(tunnel-client_PARTS:%=tunnel-client/%.o) \
	common/clock.o common/compat.o common/log.o common/target.o \
	$(yamux_OBJS) $(ws_OBJS) $(ws_accept_OBJS) $(httphead_OBJS)
tunnel-client_LIBS = $(LLHTTP_LIBS) -levent_extra $(EVENT_LIBS) \
	$(SODIUM_LIBS) $(SSL_LIBS) $(CJSON_LIBS) -lutil
