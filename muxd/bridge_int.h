/* SPDX-License-Identifier: ISC */
#ifndef BRIDGE_INT_H
#define BRIDGE_INT_H

#include <sys/queue.h>

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "imsg/msg.h"
#include "mux/bridge.h"

/*
 * Between bridge.c (open, asker to client), bridge_in.c (reply line, client to
 * asker) and, below both, bridge_base.c (all streams, and how one ends);
 * nobody else includes this.
 */

#define SF_REPLIED	0x01	/* the reply line has passed */
#define SF_FIN		0x02	/* the client will send no more */
#define SF_SHUT		0x04	/* and the asker has been told */
#define SF_WAITING	0x08	/* for room in the output buffer */
#define SF_TOUCHED	0x10	/* has pieces, or a FIN behind them */
#define SF_DONE		0x20	/* the asker has said that it is done writing */

struct bridge {
	struct mux_bridge	 m;		/* first: see bridge_of() */
	TAILQ_ENTRY(bridge)	 entry;
	TAILQ_ENTRY(bridge)	 wait_entry;	/* SF_WAITING */
	TAILQ_ENTRY(bridge)	 touch_entry;	/* SF_TOUCHED */
	/* set once */
	uint64_t		 id;		/* authd's */
	char			 service[SERVICE_SIZE];
	uint8_t			*tag;
	size_t			 tag_len;
	/* state */
	unsigned		 flags;
	struct timer		 deadline;	/* for the reply line */
	char			*line;		/* its beginning, if cut */
	size_t			 line_len;
	/* statistics */
	uint64_t		 in;
	uint64_t		 told;	/* in and out, as authd knows */
};

static inline struct bridge *
bridge_of(struct mux_bridge *m)
{
	return ((struct bridge *)m);
}

/* bridge_base.c */

/* Zero until the tunnel is up. */
struct bridges {
	struct mux		*mux;
	TAILQ_HEAD(, bridge)	 all, waiting, touched;
	unsigned		 count;
	int			 halves;	/* the client takes a FIN for half */
};

extern struct bridges	bridges;

/*
 * The asker has closed its descriptor, or all is said both ways. `st` is gone
 * after it.
 */
void	bridge_asker_gone(struct bridge *);
/*
 * Give up: the asker reads why if it has read nothing yet, the client gets a
 * RST. `st` is gone after it.
 */
void	bridge_fail(struct bridge *, const char *why, enum end_reason);
/* The one way out; the yamux stream is settled before. */
void	bridge_end(struct bridge *, enum end_reason);

/* bridge_in.c */

/* Of mux/bridge.h. */
void	bridge_touch(struct mux_bridge *);
void	bridge_wrote(struct mux_bridge *);

#endif
