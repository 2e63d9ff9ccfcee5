/* SPDX-License-Identifier: ISC */
#ifndef AUTHD_WORLD_H
#define AUTHD_WORLD_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authd/core/grant.h"
#include "authd/core/rowlog.h"
#include "authd/core/session.h"
#include "authd/core/stream.h"
#include "authd/core/web.h"
#include "proc/conf.h"

/*
 * What surrounds the core of authd in a model test: memory that may run out,
 * a store that may fail, other processes that hear of its effects and check
 * them, the turn. wrong() keeps the first thing that was not as it must be.
 */

#define MUXDS		12
#define DOORS		3
#define TERMDS		16
#define STREAMS		512	/* that muxds know of */
#define ASKERS		1024
#define LATERS		1024
#define KEPT		4096	/* rows in the store */

/* A stream as its muxd has it. */
struct known {
	uint64_t	id, muxd, grant, terminal;
	const struct stream_kind *kind;
	uint64_t	in, out;
	char		row[UUID_SIZE], lender[UUID_SIZE];
	int64_t		expires;
	int		killed, announced;
	uint64_t	killed_ms;
};

struct muxd {
	uint64_t	 instance;	/* 0: none */
	struct tunnel	*t;
	char		 session[UUID_SIZE];	/* as BOUND says it */
	uint64_t	 generation;
	int		 told;		/* CLOSE has come */
	int		 late;		/* it is to be ended */
};

struct later {
	enum { LATER_GRANT, LATER_STREAM, LATER_LOGIN } what;
	uint64_t	id;		/* or the muxd's instance */
	char		session[UUID_SIZE];
	int		created;
};

struct laters {
	struct later	v[LATERS];
	unsigned	n;
};

struct world {
	struct now	now;
	struct conf	conf;
	uint64_t	next;		/* instances, requests, ids of rows */
	struct muxd	muxd[MUXDS];
	struct door	door[DOORS];
	uint64_t	termd[TERMDS];
	struct known	known[STREAMS + 1];
	unsigned	nknown;
	struct asker	asker[ASKERS];
	struct laters	waiting, committing;
	int		is_committing;
	/* the store: what is in it, what is being written */
	struct access_row rows[KEPT], new_rows[KEPT];
	struct session_row sessions[KEPT], new_sessions[KEPT];
	unsigned	nrows, nsessions, new_nrows, new_nsessions;
	struct system_row system;
	char		hash[HEX64_SIZE];
	const char	*wrong;
	unsigned long	pairs, kills, ends, answers, lives, lates;
};
extern struct world	w;

/* Memory: blocks in use, how many of 100 requests fail, how many did. */
extern long		blocks;
extern unsigned		fail_in_100;
extern unsigned long	failures;

extern uint64_t	seed;
/* A number below n. */
unsigned	below(unsigned n);

void		wrong(const char *);
void		fresh_uuid(char [UUID_SIZE]);

/* A request of this process, which is to be answered once if it lives. */
struct asker	ask(uint64_t instance);
void		answered(struct asker);
void		asker_dies(uint64_t instance);

struct muxd	*muxd_of(uint64_t instance);

/* The turn: effects, endings, commit; its report, which may come later. */
void		later(int what, uint64_t id);
void		turn_end(int calm);
void		committed(int ok);

#endif
