# SPDX-License-Identifier: ISC

# All files of a room.
authd_room = $(patsubst $(srcdir)/%.c,%.o,$(wildcard $(srcdir)/$(1)/*.c))

# Decisions and tables, pure: what a test links that links only these.
authd_core_OBJS = $(call authd_room,authd/core) common/base/addr.o

authd_OBJS = $(call authd_room,authd) $(authd_core_OBJS) \
	$(call authd_room,authd/msg) $(call authd_room,authd/api) \
	$(call authd_room,authd/ctl) $(call authd_room,authd/cred) \
	$(call authd_room,authd/store) $(call authd_room,authd/store/sql) \
	$(call authd_room,authd/store/sqlite) $(call authd_room,authd/store/pg) \
	$(call authd_room,authd/redis) \
	common/base/index.o common/base/rate.o common/base/reference.o common/metrics/history.o $(pages_OBJS) \
	common/net/proxyhead.o common/base/conninfo.o common/base/label.o common/base/target.o common/base/uuid.o \
	common/tls/crypto.o $(text_OBJS) $(api_OBJS) $(ctl_OBJS) $(doc_OBJS) \
	$(wipe_json_OBJS) $(proc_OBJS)
authd_LIBS = $(EVENT_LIBS) $(SODIUM_LIBS) $(SQLITE_LIBS) $(PQ_LIBS) $(HIREDIS_LIBS) \
	$(CRYPTO_LIBS) \
	$(CJSON_LIBS) -lm

authd/store/pg/schema.o: $(srcdir)/etc/schema/postgresql.sql
authd/store/pg/schema.o $(FUZZ_O)/authd/store/pg/schema.o: PATHS += \
	-DSCHEMA_POSTGRESQL='"$(srcdir)/etc/schema/postgresql.sql"'

# The store alone, for what links only that.
authd_store_OBJS = $(call authd_room,authd/store/sql) \
	$(call authd_room,authd/store/sqlite) authd/store/ask.o \
	authd/store/metadata.o authd/store/chain.o authd/core/budget.o authd/cred/token_id.o \
	authd/cred/secret.o common/base/index.o common/base/clock.o \
	common/base/compat.o common/base/log.o common/base/uuid.o \
	common/metrics/count.o $(text_OBJS)
authd_store_LIBS = $(EVENT_LIBS) $(SQLITE_LIBS) $(CJSON_LIBS) $(SODIUM_LIBS)

# What the tests link that play the other processes.
authd_drive_OBJS = common/api/api.o regress/lib/authd_story.o regress/lib/world.o $(drive_OBJS)
