# SPDX-License-Identifier: ISC

termd_OBJS =
termd_LIBS = $(EVENT_LIBS) $(SODIUM_LIBS)
termd_STATIC = yes
