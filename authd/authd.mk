# SPDX-License-Identifier: ISC

authd_OBJS = authd/authd.o authd/turn.o authd/worker.o authd/index.o \
	authd/admit.o authd/login.o authd/session.o authd/services.o \
	authd/report.o authd/credit.o authd/grant.o authd/stream.o \
	authd/access.o authd/audit.o authd/ticket.o authd/term.o \
	authd/api.o authd/api_list.o authd/ctl.o authd/ctl_show.o \
	authd/ctl_admin.o authd/jwt.o authd/claims.o authd/secret.o \
	authd/rate.o authd/store_sqlite.o authd/store_systems.o \
	authd/store_sessions.o common/label.o common/target.o $(proc_OBJS)
authd_LIBS = $(EVENT_LIBS) $(SODIUM_LIBS) $(SQLITE_LIBS) $(CRYPTO_LIBS) \
	$(CJSON_LIBS) -lm

# What the tests link that play the other processes.
authd_drive_OBJS = regress/unit/authd_drive.o common/imsg.o common/msg.o \
	common/conf.o common/compat.o
