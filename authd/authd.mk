# SPDX-License-Identifier: ISC

authd_OBJS = authd/authd.o authd/turn.o authd/facts.o authd/msg/peer.o common/base/index.o \
	authd/core/admit.o authd/msg/login.o authd/core/session.o authd/core/services.o \
	authd/core/report.o authd/core/credit.o authd/core/grant.o authd/core/stream.o \
	authd/core/rowlog.o authd/store/audit.o authd/core/ticket.o authd/core/terminal.o \
	authd/api/api.o authd/api/list.o authd/ctl/ctl.o authd/ctl/show.o \
	authd/ctl/admin.o authd/cred/jwt.o authd/cred/claims.o authd/cred/secret.o \
	common/base/rate.o authd/store/sqlite/sqlite.o authd/store/sqlite/systems.o \
	authd/store/sqlite/sessions.o authd/store/sqlite/ask.o \
	common/base/label.o common/base/target.o \
	$(ctl_OBJS) $(doc_OBJS) $(proc_OBJS)
authd_LIBS = $(EVENT_LIBS) $(SODIUM_LIBS) $(SQLITE_LIBS) $(CRYPTO_LIBS) \
	$(CJSON_LIBS) -lm

# What the tests link that play the other processes.
authd_drive_OBJS = regress/lib/authd_drive.o $(imsg_PURE_OBJS) \
	common/proc/conf.o common/base/compat.o
