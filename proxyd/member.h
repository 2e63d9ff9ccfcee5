/* SPDX-License-Identifier: ISC */
#ifndef PROXYD_MEMBER_H
#define PROXYD_MEMBER_H

#include <sys/queue.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/addr.h"
#include "base/clock.h"
#include "imsg/call.h"
#include "imsg/msg.h"
#include "proxyd/door/plain.h"

struct buf;

/*
 * Other members of a cluster: which of them has what, as authd has said it a
 * moment ago, and connections to them. Each is one client's; between two of his
 * requests it waits for the next.
 */

#define MEMBER_KNOWN_MS	2000	/* what authd has said is good for so long */
#define MEMBER_IDLE	8	/* connections to one that wait, */
#define MEMBER_IDLE_MS	10000	/* and how long; */
#define MEMBER_MORE_MS	1000	/* what is more than that, while there is much */
#define MEMBER_MOST	256	/* and all */

/* Who has it: 1, and the name ("": it is here), or 0: authd is to be asked. */
int	member_known(enum forward_kind, const char *id,
	    const char **member);
void	member_note(enum forward_kind, const char *id, const char *member);
/* That was too old: authd is to be asked. */
void	member_forget(enum forward_kind, const char *id);

struct mlink {
	LIST_ENTRY(mlink) entry;	/* of those that wait */
	LIST_ENTRY(mlink) by_plain;	/* of those with TLS */
	/* set once */
	int		  fd;
	struct plain	  plain;	/* of the TLS that it goes through */
	char		  member[MEMBER_SIZE];
	struct addr	  client;
	uint32_t	  flags;	/* of his listener */
	/* state */
	struct event	  ev_read, ev_write;
	unsigned	  reading:1, writing:1, waits:1,
			  used:1,	/* for a request before this one */
			  all:1;	/* over there all is said (TLS) */
	struct timer	  idle;
	struct buf	 *in;
	/* who has it now; NULL: it waits */
	void		(*readable)(void *);
	void		(*writable)(void *);
	void		 *arg;
};

/* Once. */
void		 mlink_init(void);
/* One that waits for this client's next request there, or NULL. */
struct mlink	*mlink_take(const char *member, const struct addr *client,
		    uint32_t flags);
void		 mlink_reading(struct mlink *, int on);
void		 mlink_writing(struct mlink *, int on);
/*
 * Behind the end of what it says, and behind plain_hear(): is that where the
 * member has ended it? With TLS it is known who cuts off; without, nobody can
 * tell.
 */
int		 mlink_has_all(const struct mlink *);
/* Its request is answered: it waits. */
void		 mlink_keep(struct mlink *);
/* Close it. NULL is allowed. */
void		 mlink_free(struct mlink *);
/* The same, where nobody waits for what it has still to say: it hears so. */
void		 mlink_cut(struct mlink *);

/* A new one. All of it lies in who asks for it. */
struct reach {
	struct call	 call;
	char		 member[MEMBER_SIZE];
	struct addr	 client;
	uint32_t	 flags;
	uint8_t		 head[PEER_HEAD_MAX];	/* to be said in TLS */
	size_t		 len;
	/* Here it is, or `why` not (NULL otherwise); once. */
	void		(*then)(void *, struct mlink *, const char *why);
	void		*arg;
};

/*
 * Ask for one: authd, who has `ms` to answer, and then a tlsd where members
 * have TLS. `then` may run before this returns.
 */
void		 reach_begin(struct reach *, const char *request, uint64_t ms);
/* It will not run. Nothing is asked: nothing happens. */
void		 reach_cancel(struct reach *);

#endif
