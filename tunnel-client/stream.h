/* SPDX-License-Identifier: ISC */
#ifndef STREAM_H
#define STREAM_H

#include <sys/queue.h>
#include <stddef.h>
#include <stdint.h>

#include "yamux/yamux.h"

struct evbuffer;
struct stream;

/*
 * One yamux stream, whoever opened it, and the kind of it: what happens to its
 * bytes. Streams that the server opens begin as first lines (stream.c) and
 * become connections, terminals or commands.
 */

/* What a kind does. All but `data` and `gone` may be NULL. */
struct stream_ops {
	const char	*name;		/* for log lines */
	/* Bytes; stream_consumed() must follow, now or later. */
	void	(*data)(struct stream *, const uint8_t *, size_t);
	/* The server will send no more. */
	void	(*fin)(struct stream *);
	/* After the read that called data() or fin(), if stream_touch()ed. */
	void	(*flush)(struct stream *);
	/* Something can be sent again: window, buffer, or what stood before. */
	void	(*room)(struct stream *);
	/*
	 * The stream is over, `st` is freed next. `clean`: both sides have said
	 * all they had to say. Not called after stream_done() and
	 * stream_reset().
	 */
	void	(*gone)(struct stream *, int clean);
	/* Say `why` if that can still be said, and end. NULL: gone(), RST. */
	void	(*withdraw)(struct stream *, const char *why);
};

struct stream {
	TAILQ_ENTRY(stream)	 entry, wait_entry, touch_entry;
	struct yamux_stream	*ys;
	const struct stream_ops	*ops;
	void			*arg;		/* the kind's */
	struct evbuffer		*tx;	/* said, not yet placed: NULL, none */
	/* of one that the server opened, once its first line is read */
	const char		*kind;	/* as the line names it; NULL: not yet */
	char			*service;	/* printable; NULL none */
	int64_t			 since;		/* seconds, wall clock */
	uint64_t		 received, sent;	/* bytes, without headers */
	unsigned		 flags;		/* stream.c's */
};

/* Open a stream of ours. NULL when there is no tunnel or no memory. */
struct stream	*stream_open(const struct stream_ops *, void *arg);
/* The stream becomes another kind; nothing else changes. */
void	stream_become(struct stream *, const struct stream_ops *, void *arg);

/* Say something small (a line, a document): all of it, in order. 0 or -1. */
int	stream_send(struct stream *, const void *, size_t);
/* Call room() when the buffer has room. */
void	stream_wait(struct stream *);
/* Call flush() at the end of this read. */
void	stream_touch(struct stream *);
void	stream_consumed(struct stream *, size_t);
/* FIN behind all that was said. A second call does nothing. */
void	stream_fin(struct stream *);
/* The kind is through: FIN behind what was said, what comes is dropped. */
void	stream_done(struct stream *);
/* RST; `st` is gone. */
void	stream_reset(struct stream *);

/* Those that the server has opened, and that do something. */
void	streams_each(void (*fn)(void *, const struct stream *), void *);
/* End them all at once. */
void	streams_withdraw(const char *why);
/* Called when one of them begins or ends. */
void	streams_watch(void (*fn)(void));

/* For tunnel_begin(). */
extern const struct tunnel_hears	streams_hear;
/* Call flush() of all that asked for it; for who reads beside the tunnel. */
void	streams_flush(void);

/*
 * What a stream of the server's becomes after its first line; each takes the
 * stream over, `p` is what came behind the line. Said once, before the first
 * tunnel; it stays the caller's.
 */
struct stream_kinds {
	void	(*connect)(struct stream *, const char *service,
		    const uint8_t *p, size_t len);
	void	(*terminal)(struct stream *, const uint8_t *p, size_t len);
	void	(*command)(struct stream *, const char *version,
		    const uint8_t *p, size_t len);
};
void	streams_init(const struct stream_kinds *);

#endif
