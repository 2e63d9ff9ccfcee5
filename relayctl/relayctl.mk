# SPDX-License-Identifier: ISC

relayctl_OBJS =
relayctl_LIBS = $(EVENT_LIBS) $(SODIUM_LIBS)
