/* SPDX-License-Identifier: ISC */
#ifndef ROLES_H
#define ROLES_H

/* The roles and the classes of connections: roles.def, classes.def. Pure. */

enum role {
	ROLE_NONE,
#define R(NAME, name, user, room, many, flags, filter)	ROLE_##NAME,
#include "roles.def"
#undef R
	ROLE_COUNT
};
#define ROLE_BIT(role)	(1U << (role))

enum role_room { ROOM_EMPTY, ROOM_STORE };
enum role_many { MANY_NONE, MANY_ONE, MANY_PROXYDS, MANY_METRICS,
	MANY_ISSUERS, MANY_KEYD, MANY_TLSDS, MANY_PAIRS, MANY_DEMAND };

/* Sets of roles, for tables: R_AUTHD and so on, and all of a kind. */
enum role_set {
#define R(NAME, name, user, room, many, flags, filter)			\
	R_##NAME = ROLE_BIT(ROLE_##NAME),
#include "roles.def"
#undef R
#define R(NAME, name, user, room, many, flags, filter)			\
	| (MANY_##many != MANY_NONE ? R_##NAME : 0)
	R_CHILDREN = 0		/* whom the parent starts */
#include "roles.def"
#undef R
	,
#define R(NAME, name, user, room, many, flags, filter)			\
	| (MANY_##many == MANY_ONE || MANY_##many == MANY_PROXYDS ||	\
	    MANY_##many == MANY_METRICS || MANY_##many == MANY_ISSUERS || \
	    MANY_##many == MANY_KEYD || MANY_##many == MANY_TLSDS || \
	    MANY_##many == MANY_PAIRS ?					\
	    R_##NAME : 0)
	R_STANDING = 0		/* who has a place of its own */
#include "roles.def"
#undef R
};
enum role_filter { FILTER_NOTHING, FILTER_WORKER, FILTER_RECORDER,
    FILTER_LISTENER, FILTER_DESK, FILTER_STORE, FILTER_DIALER, FILTER_TLS };

#define RF_LINKED	0x001	/* has a channel to authd */
#define RF_KEYS		0x002	/* gets the key files */
#define RF_DOORS	0x004	/* gets the listening sockets */
#define RF_DESK		0x008	/* gets relayctl's sockets */
#define RF_BOUND	0x010	/* authd says what it is bound to */
#define RF_LOGIN	0x020	/* a tunnel, which logs in; until bound it counts
				   as starting up */
#define RF_STREAM	0x800	/* one stream of an operator, who is there */
/* Who is stopped when: later ones when the earlier have gone. */
#define RF_FIRST	0x040	/* before all others */
#define RF_LATE		0x400	/* after those without any of these */
#define RF_LAST		0x080	/* when all others have gone */
#define RF_FILES	0x100	/* may make files grow, to the store's limit */
#define RF_METRICS	0x1000	/* gets their listeners */
#define RF_COUNTS	0x2000	/* gets a page to count in */
#define RF_READS	0x200000 /* reads the pages of all others */
#define RF_RECORDS	0x4000	/* may make one grow, to a recording's limit */
#define RF_DIALS	0x8000	/* gets the authorities that it trusts */
#define RF_TLS		0x10000	/* gets the listening sockets with tls */
#define RF_CERTS	0x20000	/* gets the certificates */
#define RF_SIGNS	0x40000	/* and their keys */
#define RF_RELAY	0x80000	/* one joined relay session */
#define RF_PAIRS	0x100000 /* all pairings, and their connections */
#define RF_BATCH	0x200	/* wakes others with every write: SCHED_BATCH */

struct role_info {
	const char		*name, *user;
	enum role_room		 room;
	enum role_many		 many;
	unsigned		 flags;		/* RF_* */
	enum role_filter	 filter;
};

/* Never NULL: what is no role is "unknown" and has nothing. */
const struct role_info	*role_info(int role);
const char		*role_name(int role);

/* What a connection is wanted for (ADMIT, GIVE), and who takes it. */
enum conn_class {
	CLASS_NONE,
#define K(NAME, word, ROLE, startups, full)	CLASS_##NAME,
#include "classes.def"
#undef K
	CLASS_COUNT
};

struct class_info {
	int		 role;
	int		 startups;	/* `max startups` drops it early */
	const char	*full;		/* why it is refused at its cap */
};

/* NULL: no such class. */
const struct class_info	*class_info(unsigned class);
/* The class that a role is for; CLASS_NONE: for none. */
enum conn_class		 role_class(int role);

#endif
