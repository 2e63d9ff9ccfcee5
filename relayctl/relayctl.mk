# SPDX-License-Identifier: ISC

relayctl_OBJS =	relayctl/relayctl.o relayctl/cmd.o relayctl/output.o \
		common/imsg/chan.o common/base/clock.o common/base/compat.o common/proc/conf.o \
		common/imsg/imsg.o common/base/log.o common/imsg/msg.o
relayctl_LIBS =	$(EVENT_LIBS) $(CJSON_LIBS)
