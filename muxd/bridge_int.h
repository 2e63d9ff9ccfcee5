/* SPDX-License-Identifier: ISC */
#ifndef BRIDGE_INT_H
#define BRIDGE_INT_H

#include <sys/queue.h>

#include <event2/event_struct.h>

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "imsg/msg.h"

/*
 * Between bridge.c (open, asker to client), bridge_in.c (reply line, client to
 * asker) and, below both, bridge_base.c (all streams, and how one ends);
 * nobody else includes this.
 */

#define SF_CONNECT	0x01	/* the CONNECT line is still to be sent */
#define SF_REPLIED	0x02	/* the reply line has passed */
#define SF_FIN		0x04	/* the client will send no more */
#define SF_SHUT		0x08	/* and the asker has been told */
#define SF_HALF		0x10	/* the asker will send no more */
#define SF_READING	0x20	/* the read event is set */
#define SF_WAITING	0x40	/* for room in the output buffer */
#define SF_TOUCHED	0x80	/* has pieces, or a FIN behind them */
#define SF_WRITING	0x100	/* the write event is set */

#define CHUNK_SIZE	(64 * 1024) /* malloc maps each by itself: no holes */
#define CHUNK_DATA	(CHUNK_SIZE - 2 * sizeof(void *))

struct chunk {
	STAILQ_ENTRY(chunk)	 entry;
	uint32_t		 off, len;
	uint8_t			 data[CHUNK_DATA];
};

struct yamux_stream;

struct bridge {
	TAILQ_ENTRY(bridge)	 entry;
	TAILQ_ENTRY(bridge)	 wait_entry;	/* SF_WAITING */
	TAILQ_ENTRY(bridge)	 touch_entry;	/* SF_TOUCHED */
	/* set once */
	uint64_t		 id;		/* authd's */
	struct yamux_stream	*ys;
	int			 fd;
	char			 service[SERVICE_SIZE];
	uint8_t			*tag;
	size_t			 tag_len;
	/* state */
	unsigned		 flags;
	struct event		 ev_read, ev_write;
	struct timer		 deadline;	/* for the reply line */
	char			*line;		/* its beginning, if cut */
	size_t			 line_len;
	int			 first, last;	/* pieces, -1: none */
	STAILQ_HEAD(, chunk)	 chunks;	/* not taken by the asker */
	struct chunk		*newest;	/* last of them, if any */
	size_t			 kept;		/* bytes in them */
	/* statistics */
	uint64_t		 in, out;
};

/* bridge_base.c */

/* Zero until the tunnel is up. */
struct bridges {
	struct mux		*mux;
	TAILQ_HEAD(, bridge)	 all, waiting, touched;
	unsigned		 count;
};

extern struct bridges	bridges;

/* The asker has closed its descriptor. `st` is gone after it. */
void	bridge_asker_gone(struct bridge *);
/*
 * Give up: the asker reads why if it has read nothing yet, the client gets a
 * RST. `st` is gone after it.
 */
void	bridge_fail(struct bridge *, const char *why, enum end_reason);
/* The one way out; the yamux stream is settled before. */
void	bridge_end(struct bridge *, enum end_reason);

/* One for bytes that wait, its `off` and `len` not set; NULL: no memory. */
struct chunk	*chunk_new(void);
/* Take it back; a few are kept for the next burst. */
void	chunk_free(struct chunk *);
/* Give those back that are kept. */
void	chunks_trim(void);

/* bridge_in.c */

void	bridge_in_init(struct bridge *);
/* The last bytes before a RST, as many as the asker takes at once. */
void	bridge_in_last(struct bridge *);

#endif
