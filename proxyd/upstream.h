/* SPDX-License-Identifier: ISC */
#ifndef UPSTREAM_H
#define UPSTREAM_H

#include <sys/queue.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include <stdint.h>

#include "door/buf.h"
#include "imsg/call.h"
#include "imsg/msg.h"

struct chan;
struct grant;
struct imsg;
struct upstream;

/*
 * One end of a socketpair that authd made; muxd has the other. Busy with one
 * connection's exchange, or kept idle for the next one of the same grant to
 * the same service.
 */

#define STREAM_IDLE_MS	10000	/* messages.md, section 3 */
/*
 * A stream between two requests that follow each other closely does not lie
 * idle: what is above half the cap is let go after this much time.
 */
#define STREAM_TRIM_MS	250

/* Whoever is busy with one, in its own struct. */
struct upstream_user {
	struct upstream		*st;		/* NULL: has none */
	void			(*readable)(struct upstream_user *);
	void			(*writable)(struct upstream_user *);
	/* It is broken, while nobody reads it. */
	void			(*broken)(struct upstream_user *);
	/* It is taken away; it is closed when this returns. */
	void			(*cut)(struct upstream_user *, const char *why);
};

/* A question for one, in the asker's own struct. */
struct upstream_ask {
	struct call		 call;
	struct grant		*g;		/* of the one that is asked for */
	char			 service[SERVICE_SIZE];
	const char		*request;	/* for the log */
	struct upstream_user	*user;
	/* user->st is there (status 0), or why not; Retry-After in seconds. */
	void			(*answered)(struct upstream_ask *, int status,
				    const char *message, uint32_t retry_s);
};

struct upstream {
	TAILQ_ENTRY(upstream)	 entry;		/* of its grant */
	TAILQ_ENTRY(upstream)	 idle_entry;	/* of its grant's idle ones */
	TAILQ_ENTRY(upstream)	 old_entry;	/* of all idle ones, by age */
	TAILQ_ENTRY(upstream)	 all_entry;	/* of all; of the dead */
	/* set once */
	struct grant		*g;
	uint64_t		 gid;	/* id of the grant at opening */
	int			 fd;
	char			 service[SERVICE_SIZE];
	struct event		 ev_read, ev_write, ev_end;
	/* state */
	struct upstream_user	*user;		/* NULL: idle */
	struct buf		*in;
	uint64_t		 idle_ms;	/* since */
	unsigned int		 reading:1, writing:1, greeted:1, used:1,
				 dead:1;
};

/*
 * Ask authd for a stream, with `user`, `answered` set. 0: asked, answered()
 * follows; -1: authd cannot be asked.
 */
int		 upstream_open(struct upstream_ask *, struct grant *,
		    const char *service);
/* Whoever asked does not want it any more. */
void		 upstream_ask_end(struct upstream_ask *);
/* An idle one for this service, now busy with `user`: 0, or -1: none. */
int		 upstream_take(struct upstream_user *, struct grant *,
		    const char *service);
/* The exchange is over and the stream as good as new. */
void		 upstream_keep(struct upstream *);
/* The one close; freed after this turn. */
void		 upstream_close(struct upstream *);
void		 upstream_reading(struct upstream *, int on);
/*
 * Has the far end gone, by more than its own shutdown? messages.md, section 2.
 */
int		 upstream_hung_up(const struct upstream *);
void		 upstream_writing(struct upstream *);
void		 upstream_reap(void);
void		 upstream_init(void);
/* Cut off all streams opened under this id of a grant. */
void		 upstream_cut(uint64_t gid, const char *why);
/* Close a grant's idle streams. */
void		 upstream_drop_idle(struct grant *);
/* Handler of IDLE_DROP. */
int		 upstream_on_idle_drop(struct chan *, struct imsg *);

#endif
