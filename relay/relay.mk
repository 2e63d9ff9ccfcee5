# SPDX-License-Identifier: ISC

relay_PARTS = relay api auth completion conn credentials escape list listen \
	many peer progress remote say tty udp usage wait way wire
relay_OBJS = $(relay_PARTS:%=relay/%.o) \
	common/base/clock.o common/base/compat.o common/base/log.o \
	common/base/secretfile.o common/base/target.o common/base/text.o \
	common/base/uuid.o \
	$(net_OBJS) $(net_VIA_OBJS) $(ws_OBJS) $(ws_accept_OBJS) $(head_OBJS)
relay_LIBS = $(LLHTTP_LIBS) -levent_extra $(EVENT_LIBS) $(SODIUM_LIBS) \
	$(SSL_LIBS) $(CJSON_LIBS)
