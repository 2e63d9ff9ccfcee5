/* SPDX-License-Identifier: ISC */
#ifndef TUNNEL_H
#define TUNNEL_H

#include <stddef.h>
#include <stdint.h>

#include "mux/sock.h"
#include "net/net.h"

/*
 * The connection to the server once it is upgraded: WebSocket and yamux over
 * one socket. There is one tunnel at a time, so these functions speak of "the"
 * tunnel. tunnel-protocol.md, 2 and 3.
 */

/* What the tunnel tells who keeps its streams: stream.c, streams_hear. */
struct tunnel_hears {
	/* yamux's, see there */
	void	(*open)(void *, struct yamux_stream *);
	void	(*data)(void *, struct yamux_stream *, const uint8_t *,
		    size_t);
	void	(*fin)(void *, struct yamux_stream *);
	void	(*close)(void *, struct yamux_stream *, enum yamux_reason);
	void	(*window)(void *, struct yamux_stream *);
	/* a read is through; there is room again; all are over */
	void	(*flush)(void);
	void	(*room)(void);
	void	(*end_all)(void);
};

enum tunnel_end {
	TUNNEL_LOST,		/* come back later */
	TUNNEL_MOVED,		/* the server drains: others are there, now */
	TUNNEL_FINAL		/* close 4000: the session is over for good */
};

/*
 * Begin; takes over *c. `early` are bytes that came behind the 101; they are
 * decoded in place. `fn` is called once, when all is cleaned up; `why` is
 * printable. Returns 0, or -1 when out of memory (then *c is closed and fn is
 * not called). `fn` is never called before this returns.
 */
typedef void	(*tunnel_fn)(void *, enum tunnel_end, const char *why);
int	tunnel_begin(struct sock *c, uint8_t *early, size_t early_len,
	    const struct tunnel_hears *, tunnel_fn, void *);
/* There is a tunnel and it is not about to end. */
int	tunnel_is_usable(void);
/* There is one, even if it is about to end: its `fn` will be called. */
int	tunnel_exists(void);
/* After each turn of the loop: one write for all that was said in it. */
void	tunnel_turn_end(void);
/* Leave in good order: streams end, go-away, close 1001, `fn` when done. */
void	tunnel_quit(void);

/* For stream.c and bridge.c: what they put their frames into. */
struct mux	*tunnel_mux(void);

#endif
