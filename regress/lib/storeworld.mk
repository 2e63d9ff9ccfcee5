# SPDX-License-Identifier: ISC
# The store with both engines, and a loop.
storeworld_OBJS = regress/lib/storeworld.o $(authd_store_OBJS) \
	$(call authd_room,authd/store/pg)
storeworld_LIBS = $(authd_store_LIBS) $(PQ_LIBS)
