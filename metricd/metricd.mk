# SPDX-License-Identifier: ISC

metricd_OBJS = metricd/metricd.o metricd/answer.o \
	metricd/request.o $(pages_OBJS) \
	$(proc_OBJS) $(head_OBJS) $(lean_OBJS)
metricd_LIBS = $(LLHTTP_LIBS) $(EVENT_LIBS) $(SODIUM_LIBS)
metricd_STATIC = yes
