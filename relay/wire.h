/* SPDX-License-Identifier: ISC */
#ifndef WIRE_H
#define WIRE_H

#include <event2/event_struct.h>

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "net/net.h"
#include "ws/ws.h"

#define WIRE_MAX	65536	/* bytes of a frame, and of what is read */

/*
 * The open WebSocket to the server: one frame on its way at a time, and whether
 * the server is still there. What comes in is its owner's to read.
 */
struct wire {
	/* the owner's, set before wire_open() */
	void		(*readable)(void *);
	/* The next frame may be made, by wire_frame(); or none is. */
	void		(*fill)(void *);
	/* All was said, or all that goes now: see what to wait for. */
	void		(*wrote)(void *);
	void		(*silent)(void *);
	void		*arg;
	/* ours */
	struct sock	 sock;
	struct ws	 ws;
	uint8_t		 out[WS_HEADER_MAX + WIRE_MAX];
	size_t		 off, len;	/* of what is on its way */
	int		 lost;		/* nothing can be said any more */
	struct event	 ev_read, ev_write;
	uint64_t	 heard_ms;
	struct timer	 timer;
	int		 up;
};

/* Takes *s; ws_init() was done. Nothing is read before wire_listen(). */
void	wire_open(struct wire *, struct sock *s);
/* Call readable(), from now on or not. */
void	wire_listen(struct wire *, int on);
/* As read(2); WIRE_MAX bytes at most. */
ssize_t	wire_read(struct wire *, uint8_t *, size_t);

/* Where the payload of the next frame goes, WIRE_MAX bytes. */
uint8_t	*wire_room(struct wire *);
int	wire_busy(const struct wire *);		/* one is on its way */
/* Make the frame of the first n bytes there. It is masked in place. */
void	wire_frame(struct wire *, enum ws_opcode, size_t n);
/* Say what is to be said, also by ws: as much as goes now. */
void	wire_write(struct wire *);

/* Says what was begun, if it goes at once, and closes. Safe in any state. */
void	wire_close(struct wire *);

#endif
