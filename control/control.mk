# SPDX-License-Identifier: ISC

control_OBJS =	control/control.o control/check.o $(proc_OBJS)
control_LIBS = $(EVENT_LIBS) $(SODIUM_LIBS)
