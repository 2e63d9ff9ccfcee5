/* SPDX-License-Identifier: ISC */
#ifndef SOCK_H
#define SOCK_H

#include <sys/types.h>

#include <event2/event_struct.h>

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "mux/out.h"
#include "ws/ws.h"
#include "yamux/yamux.h"

/*
 * One tunnel over one connection: WebSocket below, yamux above. What one turn
 * of the loop brings is read with one call and decoded in place; what is to be
 * said gathers in one buffer and leaves with one write at the turn's end.
 *
 * It never stops reading: who does not take its bytes fills its own stream's
 * window and nothing else. Nor does it wait in a call, whatever somebody who
 * shares the socket has done to it. An idle tunnel keeps no buffer.
 *
 * The owner keeps the struct as long as the tunnel, reads `ws`, `y` and
 * `state`, and says what happens at the end.
 */

struct mux;

/* How the end begins; mux_close() is to follow, unless it is lost already. */
enum mux_fault {
	MUX_YAMUX,		/* the peer broke a rule of yamux, or of ours */
	MUX_WS,			/* of WebSocket: ws_error(&m->ws) */
	MUX_SILENT,		/* it gives no sign of life */
	MUX_CLOSED		/* it says that it closes: ws_peer_code() */
};

/* None may call mux_free() but gone(). */
struct mux_ops {
	/*
	 * A read is decoded, also one that brought nothing for yamux: write to
	 * the descriptors what lies in its buffer, which goes away now.
	 */
	void	(*flush)(struct mux *);
	/* There is room in the buffer for bulk data. Each turn, so be quick. */
	void	(*room)(struct mux *);
	/* See above; `code` and `text` are for mux_close(). */
	void	(*fault)(struct mux *, enum mux_fault, uint16_t code,
		    const char *text);
	/*
	 * After mux_close(): all is said, by both, or the peer has failed and
	 * may still be talking. Once. Reading goes on, up to gone().
	 */
	void	(*done)(struct mux *);
	/* The connection is no more, or its time is up. Nothing follows. */
	void	(*gone)(struct mux *, const char *why);
	/* Optional: nothing has come for a while, give back what is kept. */
	void	(*idle)(struct mux *);

	/* The client's: random bytes, for mask keys. The server has NULL. */
	void	(*random)(uint8_t *, size_t);
	/*
	 * All three, when the connection is not a plain socket: as read(2) and
	 * write(2) do, never waiting. After an EAGAIN the next write begins
	 * with the same bytes, at least as many, at another address perhaps.
	 */
	ssize_t	(*read)(struct mux *, void *, size_t);
	ssize_t	(*write)(struct mux *, const void *, size_t);
	/* MUX_MORE: no event will tell of it; MUX_ROOM: read waits for that. */
	int	(*pending)(struct mux *);
};

#define MUX_MORE	0x01	/* bytes can be read */
#define MUX_ROOM	0x02	/* the descriptor has to take some */

enum mux_state { MUX_DOWN, MUX_UP, MUX_CLOSING, MUX_LINGER };

struct mux {
	const struct mux_ops	*ops;
	void			*arg;		/* the owner's */
	struct yamux		*y;
	enum mux_state		 state;
	/* Bytes of a frame while many compete; the owner's after mux_init(). */
	size_t			 share;
	/* private */
	int			 fd;
	int			 writing;	/* ev_write is set */
	int			 dead;		/* it takes no more */
	struct event		 ev_read, ev_write;
	struct ws		 ws;
	struct out		 out;
	size_t			 room;		/* for the headers of a frame */
	uint8_t			*in;		/* IN_BIG bytes, or NULL */
	int			 in_used;	/* lately */
	int			 large_reads;
	int			 paced;		/* SO_RCVLOWAT is raised */
	struct timer		 pace, tick, idle, late;
	uint64_t		 tick_ns;	/* what `tick` is for */
};

/*
 * Make a zeroed *m ready; `fd` stays the caller's. yamux calls back with `arg`.
 * The server is the one without `random`. 0, or -1: no memory.
 */
int	mux_init(struct mux *, struct event_base *, int fd,
	    const struct mux_ops *, const struct yamux_config *,
	    const struct yamux_callbacks *, void *arg);
/*
 * Begin. `early` are bytes that came behind the head; they are decoded in
 * place, and are no longer looked at when this returns.
 */
void	mux_start(struct mux *, uint8_t *early, size_t len);
/* After each turn of the loop: one write for all that was said in it. */
void	mux_turn(struct mux *);
/*
 * Close frame, and at most `ms` for the peer's. The owner has ended its
 * streams, and said go-away if that is wanted. A second call does nothing.
 */
void	mux_close(struct mux *, uint16_t code, const char *reason, uint64_t ms);
/* Take it down; `fd` is not closed. Harmless when it is down. */
void	mux_free(struct mux *);

/*
 * A frame of up to `len` bytes is to be built: where its payload goes, or NULL
 * while the buffer is full: room() will come. Only the last place counts.
 */
#define FRAME_MAX	65520	/* payload; with its header still 16 bits */
uint8_t	*mux_reserve(struct mux *, size_t len);
/*
 * `len` bytes lie at `p`, which mux_reserve() gave. 0, or -1 when the window
 * does not take them: nothing is sent.
 */
int	mux_send(struct mux *, struct yamux_stream *, uint8_t *p, size_t len);
/*
 * What is built from now until all of it is out is secret: none of it stays in
 * the buffer.
 */
void	mux_wipes(struct mux *);
/* Memory was taken that idle() is to give back. */
void	mux_used(struct mux *);

#endif
