# SPDX-License-Identifier: ISC

relayd_OBJS =
relayd_LIBS = $(EVENT_LIBS) $(SODIUM_LIBS)

control_OBJS =
control_LIBS = $(EVENT_LIBS) $(SODIUM_LIBS)
