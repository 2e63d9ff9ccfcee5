/* SPDX-License-Identifier: ISC */
/*
 * yamux: many flow-controlled streams over one ordered byte stream, both ends.
 * Contract: tunnel-protocol.md section 3.
 *
 * Pure code: bytes in, bytes out, callbacks.  No I/O, no event loop, no clock,
 * no logging.  Time is monotonic and passed in as `now`, in nanoseconds (any
 * epoch); it must not run backwards between calls.  All memory is freed when
 * what it was for ends; a connection without streams costs about 1 KiB.
 *
 * One turn of a caller's loop:
 *
 *	read from the transport		yamux_input()
 *	  (callbacks hand data on; call yamux_consumed() for what was taken)
 *	append to the output buffer	yamux_output()		control, first
 *	while the buffer has room, per stream that has data:
 *	  n = min(yamux_sendable(), room - 12, data)
 *	  append			yamux_data_header()	then n bytes
 *	write the buffer; sleep until	yamux_deadline()
 *	on that deadline		yamux_tick(), then output again
 *
 * Order on the wire is the order in which frames are appended.  All output goes
 * into ONE buffer: the frames of yamux_output() behind every payload already
 * announced with yamux_data_header().  Then control overtakes all bulk data not
 * yet placed, and FIN never overtakes its own stream's data.  Keep the part of
 * the buffer that holds bulk data small (256 KiB or so), or pings wait behind
 * it.
 *
 * Data is never buffered in here, neither way.
 */
#ifndef YAMUX_H
#define YAMUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct yamux;
struct yamux_stream;

#define YAMUX_HEADER		12		/* bytes, every frame */
#define YAMUX_WINDOW		262144		/* both ways, at opening */
#define YAMUX_NEVER		UINT64_MAX	/* no deadline */

#define YAMUX_NSEC		UINT64_C(1000000000)	/* one second */

enum yamux_role {
	YAMUX_CLIENT,				/* opens odd ids */
	YAMUX_SERVER				/* opens even ids */
};

/* Go-away codes. */
#define YAMUX_GOAWAY_NORMAL	0
#define YAMUX_GOAWAY_PROTOCOL	1
#define YAMUX_GOAWAY_INTERNAL	2

/*
 * Errors, all negative; yamux_strerror() names them.  Fatal: the connection is
 * over; send what yamux_output() gives (go-away, if one is due), then close
 * with yamux_close_code().  Others: this call did nothing, all else goes on.
 */
enum yamux_error {
	YAMUX_E_VERSION = -1,		/* fatal: version byte not 0 */
	YAMUX_E_TYPE = -2,		/* fatal: unknown frame type */
	YAMUX_E_ID = -3,		/* fatal: id 0, used, wrong parity */
	YAMUX_E_DUPLICATE = -4,		/* fatal: SYN for an id in use */
	YAMUX_E_WINDOW = -5,		/* fatal: data beyond the window */
	YAMUX_E_OVERFLOW = -6,		/* fatal: send window over 2^32-1 */
	YAMUX_E_FIN = -7,		/* fatal: second FIN on a stream */
	YAMUX_E_PINGS = -8,		/* fatal: too many unanswered pings */
	YAMUX_E_RESETS = -9,		/* fatal: SYN flood, RSTs not read */
	YAMUX_E_GOAWAY = -10,		/* fatal: peer went away, code not 0 */
	YAMUX_E_SILENT = -11,		/* fatal: nothing came after a ping */
	YAMUX_E_NOPONG = -12,		/* fatal: bytes came, no ping answer */
	YAMUX_E_NOMEM = -13,		/* fatal, save from yamux_open() */
	YAMUX_E_CLOSING = -14,		/* open: either end said go away */
	YAMUX_E_BUSY = -15,		/* open: too many opens unanswered;
					   ping: one is outstanding */
	YAMUX_E_EXHAUSTED = -16,	/* open: no id left */
	YAMUX_E_STATE = -17		/* data: FIN sent, or over the window;
					   input: recursive call */
};

/* Why a stream ended. */
enum yamux_reason {
	YAMUX_CLOSED,			/* FIN both ways: all was said */
	YAMUX_RESET,			/* the peer reset it (or refused it) */
	YAMUX_TIMEOUT,			/* no FIN in close_wait after ours */
	YAMUX_GONE			/* yamux_free(): the connection ended */
};

/*
 * Limits.  yamux_config_default() fills in what the protocol and the
 * architecture ask for; change single members after it.  Bytes and ns.
 */
struct yamux_config {
	/*
	 * Credit.  `window` is a constant of the protocol and must be the same
	 * at both ends; only tests change it.
	 */
	uint32_t	window;		/* 256 KiB */
	uint32_t	window_max;	/* 64 MiB per stream, receiving */
	uint32_t	update_max;	/* 128 KiB: return credit from here on
					   (from window/4 on if smaller) */
	uint64_t	credit_max;	/* 64 MiB: no window grows beyond this
					   sum of credit given */
	/* Streams. */
	uint32_t	inbound_max;	/* 256 open at once, then RST */
	uint32_t	unacked_max;	/* 200 opens without an answer, those
					   given up included */
	uint64_t	close_wait;	/* 5 min from our FIN, then RST */
	/* Liveness. */
	uint64_t	ping_every;	/* own pings from yamux_tick(), first
					   at once, or by an eighth earlier
					   beside an answer to the peer's; 0,
					   the default: only yamux_ping() */
	uint64_t	ping_after;	/* if not 0: the next is due so long
					   after a ping of the peer's, which
					   lives, but ... */
	uint64_t	ping_most;	/* ... so long after ours at most */
	uint64_t	ping_silence;	/* 10 s with nothing at all */
	uint64_t	ping_timeout;	/* 60 s without the answer */
	/* Answers to pings: token bucket. */
	uint32_t	pong_burst;	/* 5 (at most 16) */
	uint64_t	pong_every;	/* 1 s per token */
	uint32_t	pong_wait_max;	/* 64 wait for a token (at most 64) */
	/* Any random number: which ids share a hash bucket. */
	uint32_t	seed;
};

/*
 * Callbacks.  `arg` is what yamux_new() got.  Each may close, reset, open, and
 * write on any stream, but may not call yamux_free() nor, again, the function
 * it is called from.  NULL is allowed where "optional" is said.
 */
struct yamux_callbacks {
	/*
	 * The peer opened a stream.  Call yamux_accept() or yamux_reset(), now
	 * or within seconds: a Go peer ends the connection after 75 s.  Data
	 * may follow in the same yamux_input(), before it is accepted.
	 */
	void	(*on_open)(void *arg, struct yamux_stream *st);
	/*
	 * Bytes for the stream, as they came, in pieces, len > 0.  `p` points
	 * into the buffer given to yamux_input() and is valid as long as the
	 * caller leaves that alone.  They count against the window until
	 * yamux_consumed(): call it when they have really gone somewhere, also
	 * for bytes thrown away, or the peer waits for ever.
	 */
	void	(*on_data)(void *arg, struct yamux_stream *st,
		    const uint8_t *p, size_t len);
	/* The peer sent FIN: no more data.  We may still write.  Once. */
	void	(*on_fin)(void *arg, struct yamux_stream *st);
	/*
	 * The stream is over; `st` is gone when this returns, inside it only
	 * the getters work.  Called exactly once for each stream, save those
	 * ended by our own yamux_reset().  From yamux_input(), yamux_output(),
	 * yamux_tick() and yamux_free().
	 */
	void	(*on_close)(void *arg, struct yamux_stream *st,
		    enum yamux_reason reason);
	/* Optional: yamux_sendable() was 0 and is not any more. */
	void	(*on_window)(void *arg, struct yamux_stream *st);
	/* Optional: the peer accepted the stream we opened. */
	void	(*on_ack)(void *arg, struct yamux_stream *st);
	/* Optional: go-away 0 came: open no more, go on with what is open. */
	void	(*on_goaway)(void *arg);
	/* Optional: the answer to our ping. */
	void	(*on_pong)(void *arg, uint64_t rtt_ns);
	/*
	 * Optional, both or none: a lease on memory shared by all connections.
	 * grow(): may windows grow by `want` bytes beyond the initial ones?
	 * Returns how many, 0 to `want`; never blocks.  After a refusal it is
	 * asked again later.  release(): `n` of them are free again; all that
	 * was granted is released at the latest in yamux_free().  Neither may
	 * call back.
	 */
	size_t	(*grow)(void *arg, size_t want);
	void	(*release)(void *arg, size_t n);
};

struct yamux_stats {
	uint32_t	streams;	/* open, both directions */
	uint32_t	streams_in;	/* of these opened by the peer */
	uint32_t	unacked;	/* our opens without an answer */
	uint64_t	opened_in;	/* since the start */
	uint64_t	opened_out;
	uint64_t	refused;	/* SYNs answered with RST */
	uint64_t	bytes_in;	/* payload */
	uint64_t	bytes_out;
	uint64_t	credit;		/* given and not used, plus held */
	uint64_t	credit_extra;	/* leased beyond the initial windows */
	uint64_t	rtt_last;	/* ns, 0: none yet */
	uint64_t	rtt_min;	/* ns, in ten minutes, 0: none */
	uint64_t	pings_in;	/* requests */
};

/* Fill in the defaults named above. */
void	 yamux_config_default(struct yamux_config *);

/*
 * A new connection.  `cf` (NULL: defaults) and `cb` are copied.  NULL with
 * errno ENOMEM, or EINVAL for a configuration that contradicts itself (window
 * 0, window_max below window, a bucket out of range).
 */
struct yamux *
	 yamux_new(enum yamux_role, const struct yamux_config *cf,
	    const struct yamux_callbacks *cb, void *arg);

/*
 * End it: on_close(YAMUX_GONE) for each stream, leases released, memory freed.
 * NULL is allowed.  Not from a callback.
 */
void	 yamux_free(struct yamux *);

/*
 * Take bytes from the transport, cut anywhere: all of them, or fail.  Calls
 * back before it returns.  0, or a fatal YAMUX_E_*, also on every later call.
 * Ids may come a little out of order (a Go peer with concurrent opens sends
 * them so), but never twice.  tunnel-protocol.md 3.1 to 3.7.
 */
int	 yamux_input(struct yamux *, const void *buf, size_t len, uint64_t now);

/*
 * Control frames that wait (SYN, ACK, window updates, FIN, RST, pings,
 * go-away): write as many whole ones as `cap` takes and return the bytes
 * written, 0 if nothing waits or cap < 12.  What can wait is bounded by the
 * streams that are open and by fixed limits, whatever the peer does.  After a
 * fatal error: the go-away frame, once.  May call on_close.
 */
size_t	 yamux_output(struct yamux *, void *buf, size_t cap, uint64_t now);

/* Is there reason to call yamux_output()? */
bool	 yamux_has_output(const struct yamux *);

/*
 * When to call yamux_tick(): absolute, in the time of `now`; may be in the past
 * (call at once); YAMUX_NEVER.  Ask again after every call made here.
 */
uint64_t yamux_deadline(const struct yamux *);

/*
 * Do what is due: release paced ping answers, ask for pings, reset streams
 * whose peer never sent FIN.  0, or fatal: YAMUX_E_SILENT, YAMUX_E_NOPONG.  May
 * be called at any time.  tunnel-protocol.md 3.6, 3.7.
 */
int	 yamux_tick(struct yamux *, uint64_t now);

/*
 * Ask the peer for a sign of life and measure the round trip (on_pong).  0, or
 * YAMUX_E_BUSY while one is outstanding.
 */
int	 yamux_ping(struct yamux *, uint64_t now);

/* Is the answer to a ping of ours still to come? */
bool	 yamux_is_asking(const struct yamux *);

/*
 * Queue go-away.  Code 0: SYNs that come later are answered with RST, we open
 * no more, open streams go on; repeated calls do nothing.  Other codes: the
 * connection is over for us (YAMUX_E_CLOSING), nothing else is sent.
 */
void	 yamux_goaway(struct yamux *, uint32_t code);

/*
 * Open a stream; SYN goes out with its first frame, which is either the next
 * yamux_output() or an earlier yamux_data_header().  Data may be sent at once.
 * `user` is kept with the stream.  0, or YAMUX_E_CLOSING, _BUSY, _EXHAUSTED,
 * _NOMEM, or the fatal error of the connection.
 */
int	 yamux_open(struct yamux *, void *user, struct yamux_stream **stp);

/*
 * Accept a stream the peer opened: queue the ACK.  Sending anything on it does
 * the same.  A second call does nothing.
 */
void	 yamux_accept(struct yamux_stream *);

/*
 * We will send no more.  FIN follows the data already placed.  When the peer
 * has sent its FIN too, the stream ends: on_close is called by the
 * yamux_output() that writes the FIN, so `st` stays valid until then.  A second
 * call does nothing.
 */
void	 yamux_fin(struct yamux_stream *);

/*
 * The same, but the peer may go on for as long as it likes: close_wait does not
 * count.  It is for the owner to end the stream at last.
 */
void	 yamux_half(struct yamux_stream *);

/*
 * End the stream both ways at once; what the peer has not read may be lost.
 * `st` is gone when this returns; on_close is not called.  Nothing more is sent
 * on the id save the RST itself.
 */
void	 yamux_reset(struct yamux_stream *);

/* Bytes the peer's window takes now; 0 after yamux_fin(). */
size_t	 yamux_sendable(const struct yamux_stream *);

/*
 * Announce `len` bytes of payload: take them from the window and write the
 * header into hdr[12].  The payload must directly follow it on the wire, whole.
 * 0, or YAMUX_E_STATE if len is over yamux_sendable() or FIN was sent, with
 * nothing changed.  There is no flag for FIN on purpose: a Go reader that sees
 * FIN and data in one frame may report the end before the data.
 */
int	 yamux_data_header(struct yamux_stream *, uint8_t hdr[YAMUX_HEADER],
	    size_t len);

/*
 * `n` bytes delivered by on_data are gone from here: give credit back, at the
 * latest from update_max on.  The window doubles when the consumer empties it
 * within two of the smallest round trips, if the budgets allow it, and shrinks
 * by keeping credit back when it does not need it.  n over what was delivered
 * counts as all of it.
 */
void	 yamux_consumed(struct yamux_stream *, size_t n, uint64_t now);

/*
 * What the peer may send ahead of yamux_consumed() is to come down to `max`
 * bytes, and stay there: for a stream whose reader is slow and waits for what
 * comes last.  The initial window has been given; what is used of it is not
 * given again.
 */
void	 yamux_keep_small(struct yamux_stream *, uint32_t max);

/* Getters and the user's pointer. */
uint32_t yamux_id(const struct yamux_stream *);
struct yamux *
	 yamux_of(const struct yamux_stream *);
void	*yamux_get(const struct yamux_stream *);
void	 yamux_set(struct yamux_stream *, void *user);
bool	 yamux_is_inbound(const struct yamux_stream *);	/* opened by peer */
bool	 yamux_is_acked(const struct yamux_stream *);	/* SYN answered */
bool	 yamux_fin_sent(const struct yamux_stream *);	/* yamux_fin() called */
bool	 yamux_fin_received(const struct yamux_stream *);
size_t	 yamux_held(const struct yamux_stream *);	/* not yet consumed */
uint32_t yamux_recv_window(const struct yamux_stream *); /* peer may send */

/* The stream with this id, or NULL. */
struct yamux_stream *
	 yamux_find(const struct yamux *, uint32_t id);

/*
 * All streams in the order of their opening: yamux_first(), then yamux_next()
 * until NULL.  Fetch the next one before ending the current one.
 */
struct yamux_stream *
	 yamux_first(const struct yamux *);
struct yamux_stream *
	 yamux_next(const struct yamux_stream *);

void	 yamux_get_stats(const struct yamux *, struct yamux_stats *);

/* The fatal error so far, or 0. */
int	 yamux_error(const struct yamux *);

/* A short text for a YAMUX_E_* (or 0), never NULL. */
const char *
	 yamux_strerror(int);

/*
 * The WebSocket close code for a fatal error: 1002 for a violation, 1008 for
 * floods of pings or SYNs, 1011 for lack of memory, 1001 after the peer's
 * go-away, and 1008 for a dead peer.
 */
uint16_t yamux_close_code(int);

#endif /* YAMUX_H */
