/* SPDX-License-Identifier: ISC */
#ifndef ENV_H
#define ENV_H

#include <stdint.h>

#include "imsg/msg.h"
#include "refusal.h"

struct conf;
struct operator;
struct session;

/*
 * authd/core: the tables of sessions, tunnels, grants, streams, tickets and
 * open rows of the access log, and the verbs that change them. Pure: no event
 * loop, no channel, no store, no log. Time comes in as an argument; what has to
 * happen outside goes out as effects (effect.h), which authd/msg/run.c carries
 * out; what is to be written, the turn fetches (session_flush, rowlog_flush).
 */

/* One reading of the clock: monotonic, and since 1970. */
struct now {
	uint64_t	ms;
	int64_t		wall_ms;
};

/* Who waits for an answer: survives the death of the one who asked. */
struct asker {
	uint64_t	instance;	/* 0: nobody */
	uint32_t	id;
	char		request[REQUEST_SIZE];	/* for the log, "" */
};

/* Who asked for what, from where, and why he does not get it. */
struct refused {
	const struct operator	*who;
	const char		*type;		/* of access */
	const char		*addr, *session, *service, *request;
	enum refusal		 why;
};

/* What the core needs from outside; set once, before the first verb. */
struct core_env {
	const struct conf	*conf;		/* as it is now */
	void			(*uuid)(char [UUID_SIZE]);	/* a new one */
	/* An audit event; while the asker is still known. */
	void			(*refused)(const struct refused *);
	/* What is shown of a session has changed; or NULL. */
	void			(*changed)(const struct session *);
	/* Another member, which is alive, of that name; or NULL: no cluster. */
	int			(*is_elsewhere)(const char *member);
};
extern struct core_env	core_env;

#endif
