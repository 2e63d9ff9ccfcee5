# SPDX-License-Identifier: ISC

control_OBJS =	control/control.o common/proc/request.o $(ctl_OBJS) $(proc_OBJS) $(link_OBJS)
control_LIBS = $(EVENT_LIBS) $(SODIUM_LIBS)
