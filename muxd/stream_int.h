/* SPDX-License-Identifier: ISC */
#ifndef STREAM_INT_H
#define STREAM_INT_H

#include <sys/queue.h>

#include <event2/event_struct.h>

#include <stddef.h>
#include <stdint.h>

#include "clock.h"
#include "msg.h"

/*
 * Between stream.c (open, asker to client, the end) and stream_in.c (reply
 * line, client to asker); nobody else includes this.
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

struct chunk;
struct yamux_stream;

struct stream {
	TAILQ_ENTRY(stream)	 entry;
	TAILQ_ENTRY(stream)	 wait_entry;	/* SF_WAITING */
	TAILQ_ENTRY(stream)	 touch_entry;	/* SF_TOUCHED */
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

/* stream.c */

/* The asker has closed its descriptor. `st` is gone after it. */
void	stream_asker_gone(struct stream *);
/*
 * Give up: the asker reads why if it has read nothing yet, the client gets a
 * RST. `st` is gone after it.
 */
void	stream_fail(struct stream *, const char *why, enum end_reason);
/* The one way out; the yamux stream is settled before. */
void	stream_end(struct stream *, enum end_reason);

/* stream_in.c */

void	stream_in_init(struct stream *);
/* What the asker has not taken is forgotten. */
void	stream_in_clear(struct stream *);
/* The last bytes before a RST, as many as the asker takes at once. */
void	stream_in_last(struct stream *);

#endif
