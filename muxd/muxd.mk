# SPDX-License-Identifier: ISC

muxd_OBJS =
muxd_LIBS = $(EVENT_LIBS) $(SODIUM_LIBS) $(JANSSON_LIBS)
muxd_STATIC = yes
