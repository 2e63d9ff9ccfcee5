# SPDX-License-Identifier: ISC

relayctl_OBJS =	relayctl/relayctl.o relayctl/cmd.o relayctl/output.o \
		common/chan.o common/clock.o common/compat.o common/conf.o \
		common/imsg.o common/log.o common/msg.o
relayctl_LIBS =	$(EVENT_LIBS) $(CJSON_LIBS)
