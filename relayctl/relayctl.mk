# SPDX-License-Identifier: ISC

relayctl_OBJS =	relayctl/relayctl.o relayctl/cmd.o relayctl/complete.o $(rows_OBJS) relayctl/reach.o \
		relayctl/top.o relayctl/topdata.o relayctl/topdraw.o relayctl/screen.o $(ctl_OBJS) \
		common/imsg/chan.o common/base/clock.o common/base/compat.o common/proc/conf.o \
		$(imsg_PURE_OBJS) common/base/log.o
relayctl_LIBS =	$(EVENT_LIBS) $(CJSON_LIBS) $(CURSES_LIBS)
