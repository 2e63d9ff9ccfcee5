# SPDX-License-Identifier: ISC

# Pure: messages in, effects out. What the tests and fuzz targets link.
paird_CORE_OBJS = paird/pair.o paird/state.o paird/boot.o paird/place.o paird/json.o \
	common/base/addr.o common/base/index.o

# What an intruder finds in the process of all pairings.
paird_OBJS = paird/paird.o paird/conn.o $(paird_CORE_OBJS) \
	common/metrics/count.o $(proc_OBJS) $(link_OBJS) $(head_OBJS)
paird_LIBS = $(WSLAY_LIBS) $(LLHTTP_LIBS) $(EVENT_LIBS) $(SODIUM_LIBS)
