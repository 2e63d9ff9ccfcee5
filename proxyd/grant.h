/* SPDX-License-Identifier: ISC */
#ifndef GRANT_H
#define GRANT_H

#include <sys/queue.h>

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/addr.h"
#include "imsg/call.h"
#include "imsg/msg.h"
#include "session.h"
#include "tried.h"

struct chan;
struct imsg;
struct upstream;

/*
 * authd's yes to one token for one session, kept for at most a minute. Found by
 * a keyed hash of what was asked; the token itself is not kept here. Streams
 * belong to the grant that they were opened under (messages.md, section 3).
 */
struct grant_ask {
	const char	*token;
	size_t		 token_len;
	const char	*slug;		/* of the token's session */
	/* 1: an operator's, good for any; 2: a back end's secrets */
	int		 bearer;
	/* NULL, or: a session of the same system, for this service there */
	const struct session *sibling;
	const char	*service;	/* with `bearer` or `sibling`, else "" */
};

#define GRANT_MS	60000	/* asked again after that */
#define GRANT_RENEW_MS	45000	/* in use and this old: ask beforehand */

enum grant_state {
	GRANT_ASKED,		/* waiting for the first answer */
	GRANT_GOOD,
	GRANT_OVER		/* not in the table any more */
};

struct grant {
	LIST_ENTRY(grant)	 entry;
	enum grant_state	 state;
	int			 refs;		/* table, streams, memos */
	uint8_t			 key[32];
	uint64_t		 id;		/* of authd, the current one */
	uint64_t		 asked_ms;
	uint64_t		 until_ms;	/* of clock_ms() */
	uint64_t		 expires;	/* wall, s: the cookie's end */
	char			 service[SERVICE_SIZE];	/* as asked for */
	char			 reference[REFERENCE_SIZE]; /* its token's, or "" */
	uint32_t		 idle_max;
	int			 internal;	/* no stranger asks */
	struct tried		 tried;
	struct call		 call;		/* renewal or first question */
	struct session		*se;		/* NULL until GRANT_GOOD */
	TAILQ_HEAD(, grant_wait) waiters;
	TAILQ_HEAD(, upstream)	 streams;	/* busy and idle */
	TAILQ_HEAD(, upstream)	 idle;		/* the last used first */
};

/*
 * Who waits for a grant's answer, in the waiter's own struct. `woken` is called
 * once, with 0 when it is to look again, or with a status and its message; 429
 * comes with `wait_s`.
 */
struct grant_wait {
	TAILQ_ENTRY(grant_wait)	 entry;
	struct grant		*g;		/* NULL: does not wait */
	struct addr		 addr;		/* of the client */
	uint32_t		 wait_s;	/* 429: for so long */
	const char		*request;	/* for the log */
	void			(*woken)(struct grant_wait *, int status,
				    const char *message);
};

/* What ends with a grant, see upstream.h. */
struct grant_ops {
	void	(*drop_idle)(struct grant *);
	void	(*cut)(uint64_t gid, const char *why);
};

/* Once, before the loop. `ops` lives on. */
void	grants_init(const struct grant_ops *ops);

/*
 * The grant that is asked for, asking authd if need be. Returns
 *	1	*g is good
 *	0	asked: `w` waits in it, woken() follows
 *	-1	authd cannot be asked: 503
 *	-2	too many refused (tried.h): 429, with w->wait_s
 */
int	grant_for(struct grant **g, struct grant_wait *w,
	    const struct grant_ask *);
/* The same if it is known and good; authd is not asked. */
struct grant *grant_known(const struct addr *, const struct grant_ask *);
/* Is this one, found by the same words, still good? Asks again in time. */
int	grant_is_good(struct grant *, const struct addr *,
	    const struct grant_ask *);

struct grant	*grant_ref(struct grant *);
void		 grant_unref(struct grant *);
/* It waits no more. */
void		 grant_wait_end(struct grant_wait *);

/* A stream of it was opened or is gone. */
void	grant_stream_add(struct grant *, struct upstream *);
void	grant_stream_del(struct grant *, struct upstream *);

/* The channel has gone: all of them are over. */
void	grant_forget_all(void);
/* Handler of GRANT_END. */
int	grant_on_end(struct chan *, struct imsg *);

#endif
