/* SPDX-License-Identifier: ISC */
#ifndef STREAM_H
#define STREAM_H

#include <sys/queue.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include <stdint.h>

#include "buf.h"
#include "msg.h"

struct chan;
struct conn;
struct grant;
struct imsg;

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

struct stream {
	TAILQ_ENTRY(stream)	 entry;		/* of its grant */
	TAILQ_ENTRY(stream)	 idle_entry;	/* of its grant's idle ones */
	TAILQ_ENTRY(stream)	 old_entry;	/* of all idle ones, by age */
	TAILQ_ENTRY(stream)	 all_entry;	/* of all; of the dead */
	/* set once */
	struct grant		*g;
	uint64_t		 gid;	/* id of the grant at opening */
	int			 fd;
	char			 service[SERVICE_SIZE];
	struct event		 ev_read, ev_write;
	/* state */
	struct conn		*c;		/* NULL: idle */
	struct buf		*in;
	uint64_t		 idle_ms;	/* since */
	unsigned int		 reading:1, writing:1, greeted:1, used:1,
				 dead:1;
};

/*
 * Ask authd for a stream. 0: asked, c->call is set, conn_resume() follows with
 * c->x.st, or the answer is given; -1: authd cannot be asked.
 */
int		 stream_open(struct conn *, struct grant *,
		    const char *service);
/* An idle one for this service, now busy with `c`; NULL when there is none. */
struct stream	*stream_take(struct conn *, struct grant *,
		    const char *service);
/* The exchange is over and the stream as good as new. */
void		 stream_keep(struct stream *);
/* The one close; freed after this turn. */
void		 stream_close(struct stream *);
void		 stream_reading(struct stream *, int on);
void		 stream_writing(struct stream *);
void		 stream_reap(void);
void		 stream_init(void);
/* Cut off all streams opened under this id of a grant. */
void		 stream_cut(uint64_t gid, const char *why);
/* Close a grant's idle streams. */
void		 stream_drop_idle(struct grant *);
/* Handler of IDLE_DROP. */
int		 stream_on_idle_drop(struct chan *, struct imsg *);

#endif
