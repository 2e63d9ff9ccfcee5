/* SPDX-License-Identifier: ISC */
#ifndef WS_H
#define WS_H

#include <stddef.h>
#include <stdint.h>

/*
 * WebSocket frames (RFC 6455, version 13, no extensions), both roles. Pure:
 * no I/O, no allocation, no clock, no random numbers. The handshake is not
 * here: see upgrade.h and ws_accept.c.
 *
 * Two modes. In stream mode (the tunnel and relay data planes) the payloads
 * of all data frames are one byte stream, message and frame borders carry no
 * meaning, only binary is taken (but see ws_take_half()). In message mode
 * (terminals) whole messages go to a callback. Control frames are handled
 * inside in both. A relay passes frames on: ws_relay().
 *
 * The owner's loop:
 *	read into buf; ws_input(); use the payload;
 *	send ws_output() while ws_pending(); drop the connection when ws_done().
 *
 * tunnel-protocol.md, section 2; checklist 12 to 15.
 */

/* The longest frame taken in stream mode, bytes; a longer one is close 1009. */
#define WS_FRAME_MAX	(1024 * 1024)
/* The longest payload of a control frame. */
#define WS_CONTROL_MAX	125
/* The longest frame header, and the longest unmasked one. */
#define WS_HEADER_MAX	14
/* What one ws_output() writes at most: a pong and a close, both masked. */
#define WS_OUTPUT_MAX	(2 * (2 + 4 + WS_CONTROL_MAX))
/* The longest close reason; longer ones are cut at a character border. */
#define WS_REASON_MAX	(WS_CONTROL_MAX - 2)

enum ws_opcode {
	WS_OP_CONT = 0,
	WS_OP_TEXT = 1,
	WS_OP_BINARY = 2,
	WS_OP_CLOSE = 8,
	WS_OP_PING = 9,
	WS_OP_PONG = 10
};

enum ws_role {
	WS_SERVER,		/* input must be masked, output is not */
	WS_CLIENT		/* the reverse */
};

enum ws_code {
	WS_NORMAL = 1000,
	WS_GOING_AWAY = 1001,
	WS_PROTOCOL_ERROR = 1002,
	WS_UNSUPPORTED = 1003,
	WS_NO_STATUS = 1005,	/* never sent: a close without a code */
	WS_ABNORMAL = 1006,	/* never sent: the connection broke */
	WS_INVALID_DATA = 1007,
	WS_POLICY = 1008,
	WS_TOO_BIG = 1009,
	WS_INTERNAL = 1011,
	WS_SESSION_CLOSED = 4000	/* reason "session_closed" */
};

/* Of a 1001: others are there for the client. tunnel-protocol.md, 6.5. */
#define WS_REASON_DRAINING	"draining"

enum ws_state {
	WS_OPEN,
	WS_CLOSE_SENT,		/* our close is queued or sent, theirs awaited */
	WS_CLOSE_RCVD,		/* theirs came, our echo waits in ws_output() */
	WS_CLOSED,		/* both are exchanged: drop the connection */
	WS_FAILED		/* the peer broke a rule; all input is ignored */
};

/*
 * Message mode. The owner fills `buf`, `max`, `on_message`, `arg` and `text`,
 * zeroes the rest, and keeps the struct and the buffer as long as the ws.
 * `on_message` gets one whole message: `opcode` is WS_OP_TEXT (checked UTF-8)
 * or WS_OP_BINARY; `data` lies in `buf` or in the input and is valid during
 * the call only; `len` may be 0. It may call ws_close() but not ws_input(),
 * and must not free the ws. No message is delivered after a close was queued
 * by the callback or received.
 */
struct ws_msg {
	uint8_t		*buf;		/* for messages that come in pieces */
	size_t		 max;		/* its size: the longest message */
	void		(*on_message)(void *arg, int opcode, uint8_t *data,
			    size_t len);
	/* A pong; NULL: nobody wants to know. It may not end the ws either. */
	void		(*on_pong)(void *arg, const uint8_t *, size_t len);
	void		*arg;
	int		 text;		/* take text; 0: text is close 1003 */

	size_t		 len;		/* private from here on */
	uint8_t		 need, lo, hi;	/* UTF-8: bytes missing, next range */
};

/*
 * For ws_relay(). The owner zeroes it, sets `max`, and may read `payload` and
 * set it to 0.
 */
struct ws_pass {
	uint64_t	max;		/* the longest message; 0: any */
	uint64_t	payload;	/* bytes of data that have passed */

	uint64_t	len;		/* private: of the message so far */
	uint8_t		begun;		/* a part of it has been passed on */
};

/*
 * Private, but embedded in its owner, who touches no member. A few cache
 * lines: no buffer grows with what a peer claims.
 */
struct ws {
	struct ws_msg	*msg;			/* NULL: stream mode */
	struct ws_pass	*pass;			/* NULL: not for ws_relay() */
	const char	*error;			/* why it failed, a constant */
	uint64_t	 left;			/* of the frame's payload */
	uint32_t	 frame_max;
	uint16_t	 code_out;		/* of our close; 0: none */
	uint16_t	 code_in;		/* of theirs; 0: none */
	uint8_t		 role;
	uint8_t		 state;
	uint8_t		 hdr[WS_HEADER_MAX];	/* header as far as it came */
	uint8_t		 hdrlen;
	uint8_t		 key[4];
	uint8_t		 phase;			/* key byte that is next */
	uint8_t		 in_frame;		/* header complete, payload runs */
	uint8_t		 open_op;		/* message in progress, or 0 */
	uint8_t		 ctllen;
	uint8_t		 outlen;		/* of `out` */
	uint8_t		 pong;			/* `out` is a pong to send */
	uint8_t		 close;			/* a close is to be sent */
	uint8_t		 halves;		/* ws_take_half() */
	uint8_t		 ctl[WS_CONTROL_MAX];	/* control frame coming in */
	uint8_t		 out[WS_CONTROL_MAX];	/* pong, or close reason */
};

/*
 * Make `ws` ready, in stream mode (`msg` NULL) or message mode. Cannot fail;
 * nothing needs to be freed.
 */
void	ws_init(struct ws *, enum ws_role, struct ws_msg *);

/*
 * Set the longest frame, bytes, 1 to 2^31-1; the default is WS_FRAME_MAX. In
 * message mode the smaller of this and the message limit counts.
 */
void	ws_set_frame_max(struct ws *, uint32_t);

/*
 * In stream mode an empty text message is from now on the end of the peer's
 * stream: data behind it is close 1002. operator-api.md, 6.5.
 */
void	ws_take_half(struct ws *);
/* Has it come? */
int	ws_half_rcvd(const struct ws *);

/*
 * Take `len` bytes that came from the peer: all of them. They are decoded in
 * place. In stream mode the payload is moved together to the front of `buf`
 * and `*payload_len` says how much there is (0 is usual); what lies behind is
 * scratch. In message mode `*payload_len` is 0 and messages are delivered
 * before it returns. `payload_len` may be NULL in message mode.
 *
 * Returns 0, also when the peer's close came (see ws_state()), or -1 when the
 * peer broke a rule: the close frame with the right code (in message mode,
 * if no pong waits, ws_error() is its reason) is queued, the
 * payload before the fault is delivered, ws_error() says what it was, later
 * input is ignored. Then: ws_output(), and drop once it is sent.
 *
 * Codes (RFC 6455, 7.4.1): 1002 for reserved bits and opcodes, wrong masking,
 * a control frame over 125 bytes or fragmented, a continuation without start,
 * a new message inside a fragmented one, a length with the top bit set or not
 * in its shortest form, a close with one byte, an illegal code or a reason
 * that is not UTF-8; 1003 for text where only binary is taken; 1007 for text
 * that is not UTF-8; 1009 for a frame or message over its limit, as soon as
 * the header says so.
 *
 * A ping queues a pong; of several pings that come before ws_output() is
 * called only the last is answered (RFC 6455, 5.5.3). Pongs go to on_pong().
 * A close is recorded and answered with the same code and no reason; what comes
 * after it is ignored.
 */
int	ws_input(struct ws *, uint8_t *buf, size_t len, size_t *payload_len);

/*
 * For a relay, in the server's role: from now on the input goes through
 * ws_relay() and not ws_input(). Text passes and is not looked at, frames have
 * any length, a close's reason is part of our answer to it, and a fault's text
 * is the reason of its close. rendezvous-protocol.md, section 8.
 */
#define WS_PASS_ROOM	10
void	ws_set_relay(struct ws *, struct ws_pass *);

/*
 * Take the `len` bytes at buf + WS_PASS_ROOM, as ws_input() does. What is to be
 * passed on is written from the start of `buf`, `*out_len` bytes of whole,
 * unmasked frames: types and borders of messages stay, a message may be in more
 * pieces than it was. Never longer than WS_PASS_ROOM + len.
 */
int	ws_relay(struct ws *, uint8_t *buf, size_t len, size_t *out_len);

/* Whether ws_output() has something to write. */
int	ws_pending(const struct ws *);

/*
 * Write pending control frames, the pong before the close, to `out`, and
 * forget them: they are now the caller's to send, ahead of any bulk data but
 * never inside another frame. `rnd` is 8 fresh random bytes in the client's
 * role (the mask keys) and is not looked at in the server's. Returns the
 * number of bytes, 0 to WS_OUTPUT_MAX. After a close has been written no
 * further data frame may be sent (see ws_may_send()).
 */
size_t	ws_output(struct ws *, uint8_t out[WS_OUTPUT_MAX],
	    const uint8_t rnd[8]);

/* Whether data frames may still be sent: no close was queued or received. */
int	ws_may_send(const struct ws *);

/*
 * Begin the close handshake: queue a close with `code` (0 or WS_NO_STATUS:
 * without code) and `reason` (UTF-8, may be NULL). Does nothing when a close
 * is already queued or sent, or after a failure. A pong that was still waiting
 * gives its place to a reason. Afterwards: ws_output(), then wait for
 * ws_done(), at most 5 s. ws_close(ws, 4000, "session_closed") are exactly
 * the 18 bytes of tunnel-protocol.md, section 2.
 */
void	ws_close(struct ws *, uint16_t code, const char *reason);

enum ws_state	ws_state(const struct ws *);

/*
 * Whether the connection can be dropped: nothing is left in ws_output() and
 * either both closes are exchanged or the peer broke a rule. A server drops
 * first; a client should give the server a moment to do so.
 */
int	ws_done(const struct ws *);

/*
 * The code of the peer's close: WS_NO_STATUS if it had none, 0 when none has
 * come. `reason`, if not NULL, is pointed at the reason (not terminated, any
 * UTF-8: escape it before logging) which stays valid until the next
 * ws_input(); the return value of ws_peer_reason() is its length.
 */
uint16_t	ws_peer_code(const struct ws *);
size_t		ws_peer_reason(const struct ws *, const char **reason);

/*
 * The code of our close, 0 if none was queued, and the constant text of the
 * fault after ws_input() returned -1, else NULL: for the log line.
 */
uint16_t	ws_own_code(const struct ws *);
const char	*ws_error(const struct ws *);

/*
 * Write the header of a whole (FIN) frame with `len` bytes of payload to
 * `out`, in the shortest form. `key` is 4 fresh random bytes in the client's
 * role, NULL in the server's. Returns its length: 2, 4 or 10, and 4 more with
 * a key. For data the opcode is WS_OP_BINARY or WS_OP_TEXT; for a ping of our
 * own WS_OP_PING and at most 125 bytes. The payload follows, in the client's
 * role through ws_mask(). Put header and payload in one write.
 */
size_t	ws_header(uint8_t out[WS_HEADER_MAX], enum ws_opcode, uint64_t len,
	    const uint8_t *key);

/*
 * XOR `len` bytes with the key, in place; `offset` is the place of buf[0] in
 * the frame's payload, so that a payload can be masked in pieces. Masking
 * twice restores.
 */
void	ws_mask(uint8_t *buf, size_t len, const uint8_t key[4], size_t offset);

/*
 * Whether `len` bytes are well-formed UTF-8 (no surrogates, no overlong
 * forms, nothing above U+10FFFF).
 */
int	ws_utf8(const uint8_t *, size_t len);

/*
 * Compute the Sec-WebSocket-Accept value for the text of a Sec-WebSocket-Key
 * (24 characters, not terminated): 28 characters and a NUL in `out`. Lives in
 * ws_accept.c, for proxyd and the clients; muxd and termd get the value by
 * message. RFC 6455, 4.2.2.
 */
#define WS_KEY_LEN	24
#define WS_ACCEPT_LEN	28
void	ws_accept_key(const char key[WS_KEY_LEN], char out[WS_ACCEPT_LEN + 1]);

#endif
