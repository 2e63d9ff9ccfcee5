# SPDX-License-Identifier: ISC

metricd_OBJS = metricd/metricd.o metricd/pages.o metricd/answer.o \
	metricd/request.o $(metrics_OBJS) common/metrics/count.o \
	$(proc_OBJS) $(head_OBJS)
metricd_LIBS = $(LLHTTP_LIBS) $(EVENT_LIBS) $(SODIUM_LIBS)
metricd_STATIC = yes
