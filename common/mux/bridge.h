/* SPDX-License-Identifier: ISC */
#ifndef MUX_BRIDGE_H
#define MUX_BRIDGE_H

#include <sys/queue.h>
#include <sys/uio.h>

#include <event2/event_struct.h>

#include <stddef.h>
#include <stdint.h>

#include "mux/sock.h"

/*
 * The bytes between a stream and a descriptor. To the descriptor: what one read
 * of the tunnel brought is collected as pieces, borrowed from its buffer, and
 * written with one call; what is not taken is copied and kept, and credit goes
 * back for what was written only, so that at most a window is kept. From it:
 * read straight into the tunnel's buffer, only while window and buffer have
 * room.
 *
 * What an end means, and which bridges wait, is the owner's: it embeds the
 * struct, fills in the first part and keeps it up to mux_bridge_clear().
 */

struct mux_bridge;

enum mux_bridge_fault { MB_READ, MB_WRITE, MB_NOMEM };

/* Where it is said, the bridge may be cleared and freed by the callee. */
struct mux_bridge_ops {
	/* Call mux_bridge_flush() when this read is through. */
	void	(*touch)(struct mux_bridge *);
	/* The tunnel's buffer is full: mux_bridge_resume() at its room(). */
	void	(*wait)(struct mux_bridge *);
	/* After each write; `kept` bytes are left. May free. */
	void	(*wrote)(struct mux_bridge *);
	/* The descriptor will say no more. May free. */
	void	(*eof)(struct mux_bridge *);
	/*
	 * It failed, errno says how. 0: it is deaf from now on, what comes for
	 * it is dropped. -1: it is freed, and always after MB_READ.
	 */
	int	(*failed)(struct mux_bridge *, enum mux_bridge_fault);
	/* Optional: it is not read any more, and so its end not seen. */
	void	(*held)(struct mux_bridge *);
	/*
	 * If there is a `head`: write it, for `len` bytes behind it. narrow()
	 * gets a head and its bytes when the window is too small for one, since
	 * nobody will tell when it grows; NULL: a head goes first of all, when
	 * the window is new. narrow() may free.
	 */
	void	(*header)(struct mux_bridge *, uint8_t *, size_t len);
	void	(*narrow)(struct mux_bridge *, const uint8_t *, size_t);
	/*
	 * All three, if the descriptor is no plain socket: as read(2) and
	 * writev(2) do, and as pending() in mux/sock.h.
	 */
	ssize_t	(*read)(struct mux_bridge *, void *, size_t);
	ssize_t	(*writev)(struct mux_bridge *, const struct iovec *, int);
	int	(*pending)(struct mux_bridge *);
};

#define MB_READING	0x01	/* the read event is set */
#define MB_WRITING	0x02	/* the write event is set */
#define MB_EOF		0x04	/* the descriptor will say no more */
#define MB_LAST		0x08	/* what is there now is all it has to say */
#define MB_DEAF		0x10	/* nor does it take any more */
#define MB_ALONE	0x20	/* the first head does not wait for bytes */

struct mux_chunk;

struct mux_bridge {
	/* the owner's, before mux_bridge_init() */
	const struct mux_bridge_ops *ops;
	struct mux		*mux;
	struct yamux_stream	*ys;	/* NULL: it is over, kept bytes go on */
	int			 fd;	/* non-blocking */
	size_t			 head, max; /* before a piece, and its bytes */
	unsigned		 flags;
	/* to be read */
	size_t			 kept;	/* bytes that the fd has not taken */
	uint64_t		 out;	/* bytes placed, with heads */
	/* private */
	struct event		 ev_read, ev_write;
	int			 first, last;	/* pieces, -1: none */
	STAILQ_HEAD(, mux_chunk) chunks;
	struct mux_chunk	*newest;	/* last of them, if any */
};

void	mux_bridge_init(struct mux_bridge *, struct event_base *);
/* Nothing of it is waited for or kept any more. Harmless when repeated. */
void	mux_bridge_clear(struct mux_bridge *);

/* To the descriptor, in order; touch() follows. 0, or -1: it is freed. */
int	mux_bridge_deliver(struct mux_bridge *, const uint8_t *, size_t);
/* Write what was delivered. May free. */
void	mux_bridge_flush(struct mux_bridge *);
/* Write as much as is taken at once, and nothing later. Frees nothing. */
void	mux_bridge_last(struct mux_bridge *);
/* All that was delivered is written. */
int	mux_bridge_through(const struct mux_bridge *);
/* Bytes are taken or thrown away: the peer may send as many more. */
void	mux_bridge_consumed(struct mux_bridge *, size_t);

/* Read on: there is room, or a window. */
void	mux_bridge_resume(struct mux_bridge *);
/* Do not read, up to mux_bridge_resume(). */
void	mux_bridge_hold(struct mux_bridge *);
/* Read one frame now. 1: there is probably more; 0: it may be freed. */
int	mux_bridge_pull(struct mux_bridge *);
/* No more will come to be read: what is there, then eof(). */
void	mux_bridge_finish(struct mux_bridge *);

/* From the tunnel's idle(): give back what is kept for the next burst. */
void	mux_bridge_trim(void);

#endif
