# SPDX-License-Identifier: ISC

# Decisions and tables, pure: what a test links that links only these.
authd_core_OBJS = authd/core/env.o authd/core/budget.o authd/core/due.o authd/core/effect.o \
	authd/core/refusal.o authd/core/rowlog.o authd/core/ticket.o \
	authd/core/services.o authd/core/tunnel.o authd/core/session.o \
	authd/core/may.o authd/core/grant.o authd/core/stream.o \
	authd/core/web.o authd/core/terminal.o authd/core/end.o

authd_OBJS = authd/authd.o authd/turn.o authd/facts.o authd/now.o authd/load.o \
	$(authd_core_OBJS) common/base/index.o \
	authd/msg/peer.o authd/msg/table.o authd/msg/from_parent.o \
	authd/msg/from_muxd.o authd/msg/from_proxyd.o authd/msg/from_termd.o \
	authd/msg/announce.o authd/msg/manifest.o authd/msg/run.o authd/msg/streamlog.o authd/msg/tag.o \
	authd/msg/issue.o authd/msg/recheck.o authd/store/metadata.o \
	authd/msg/admit.o authd/msg/named.o authd/msg/login.o \
	authd/msg/report.o authd/msg/users.o authd/msg/command.o authd/msg/credit.o \
	authd/store/audit.o authd/store/ask.o \
	authd/api/call.o authd/api/answer.o authd/api/list.o \
	authd/api/logs.o authd/api/systems.o authd/api/system.o authd/api/register.o authd/api/diagnostics.o authd/api/session.o authd/api/services.o authd/api/users.o authd/api/added.o authd/api/proxy_token.o \
	authd/api/terminal_ticket.o authd/ctl/ctl.o authd/ctl/answer.o authd/ctl/show.o \
	authd/ctl/admin.o authd/ctl/token.o authd/ctl/list.o authd/ctl/session.o authd/cred/jwt.o authd/cred/claims.o authd/cred/secret.o authd/cred/known.o authd/cred/seal.o authd/cred/token_id.o authd/cred/refer.o \
	common/base/rate.o common/base/reference.o authd/store/sqlite/references.o authd/store/sqlite/sqlite.o authd/store/sqlite/systems.o \
	authd/store/sqlite/sessions.o authd/store/sqlite/purge.o authd/store/sqlite/groups.o authd/store/sqlite/walk.o \
	authd/store/sqlite/schema.o authd/store/sqlite/ask.o \
	common/base/label.o common/base/target.o \
	common/base/uuid.o $(api_OBJS) $(ctl_OBJS) $(doc_OBJS) $(proc_OBJS)
authd_LIBS = $(EVENT_LIBS) $(SODIUM_LIBS) $(SQLITE_LIBS) $(CRYPTO_LIBS) \
	$(CJSON_LIBS) -lm

# The store alone, for what links only that.
authd_store_OBJS = authd/store/sqlite/sqlite.o authd/store/sqlite/systems.o authd/store/sqlite/sessions.o \
	authd/store/sqlite/purge.o authd/store/sqlite/groups.o authd/store/sqlite/walk.o authd/store/sqlite/schema.o \
	authd/store/sqlite/references.o authd/store/sqlite/ask.o authd/store/ask.o authd/core/budget.o \
	common/base/index.o authd/store/metadata.o authd/cred/token_id.o \
	authd/cred/secret.o common/base/clock.o common/base/compat.o \
	common/base/log.o
authd_store_LIBS = $(EVENT_LIBS) $(SQLITE_LIBS) $(CJSON_LIBS) $(SODIUM_LIBS)

# What the tests link that play the other processes.
authd_drive_OBJS = regress/lib/authd_story.o regress/lib/world.o $(drive_OBJS)
