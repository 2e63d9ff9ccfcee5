/* SPDX-License-Identifier: ISC */

/*
 * WebSocket input: bytes from the peer become a byte stream or messages, and
 * control frames become what ws_output() has to say. The order below is that
 * of a frame's life: header, payload, end. The other files: ws_out.c (what we
 * send), ws_mask.c, ws_utf8.c.
 */

#include <sys/types.h>

#include <string.h>

#include "ws.h"
#include "ws_int.h"

#define FIN	0x80
#define RSV	0x70
#define OPCODE	0x0f
#define CONTROL	0x08		/* set in the opcode of a control frame */
#define MASKED	0x80
#define LEN7	0x7f
#define LEN16	126		/* length in the next 2 bytes */
#define LEN64	127		/* length in the next 8 bytes */

#define HALF_TAKEN	0x1	/* empty text is no error */
#define HALF_RCVD	0x2

static int	ws_fail(struct ws *, uint16_t, const char *);
static int	header_first(struct ws *, uint8_t);
static int	header_second(struct ws *, uint8_t);
static size_t	header_size(const struct ws *);
static int	header_done(struct ws *);
static ssize_t	header_take(struct ws *, const uint8_t *, size_t);
static int	message_data(struct ws *, uint8_t *, size_t);
static void	message_done(struct ws *, uint8_t *, size_t);
static void	control_data(struct ws *, const uint8_t *, size_t);
static int	control_done(struct ws *);
static int	close_rcvd(struct ws *);
static int	payload_take(struct ws *, uint8_t *, const uint8_t *, size_t);
static int	frame_done(struct ws *);
static size_t	pass_take(struct ws *, uint8_t *, const uint8_t *, size_t);

_Static_assert(sizeof(struct ws) <= 352, "struct ws is meant to be small");

void
ws_init(struct ws *ws, enum ws_role role, struct ws_msg *msg)
{
	memset(ws, 0, sizeof(*ws));
	ws->role = role;
	ws->msg = msg;
	ws->frame_max = WS_FRAME_MAX;
	ws->state = WS_OPEN;
}

void
ws_set_frame_max(struct ws *ws, uint32_t max)
{
	ws->frame_max = max;
}

/*
 * The peer broke a rule. A close of ours that is already on its way stays what
 * it is: there is never a second one.
 */
static int
ws_fail(struct ws *ws, uint16_t code, const char *why)
{
	if (ws->state == WS_OPEN) {
		ws->code_out = code;
		ws->close = 1;
		/* A browser shows it; a tunnel's close is as it always was. */
		if (ws->pass != NULL)
			ws->pong = 0;
		if ((ws->msg != NULL || ws->pass != NULL) && !ws->pong) {
			ws->outlen = (uint8_t)strlen(why);
			memcpy(ws->out, why, ws->outlen);
		}
	}
	ws->state = WS_FAILED;
	ws->error = why;
	return (-1);
}

void
ws_take_half(struct ws *ws)
{
	ws->halves |= HALF_TAKEN;
}

int
ws_half_rcvd(const struct ws *ws)
{
	return ((ws->halves & HALF_RCVD) != 0);
}

void
ws_set_relay(struct ws *ws, struct ws_pass *pass)
{
	ws->pass = pass;
}

static int
is_control(const struct ws *ws)
{
	return (ws->hdr[0] & CONTROL);
}

/* Text in stream mode: empty and whole, or an error. */
static int
text_is_half(const struct ws *ws, uint8_t b)
{
	return (ws->msg == NULL && (ws->halves & HALF_TAKEN) && (b & FIN));
}

/* The first header byte: refuse at once what no further byte can mend. */
static int
header_first(struct ws *ws, uint8_t b)
{
	uint8_t		 op = b & OPCODE;

	if (b & RSV)
		return (ws_fail(ws, WS_PROTOCOL_ERROR, "reserved bit set"));
	switch (op) {
	case WS_OP_CONT:
		if (ws->open_op == 0)
			return (ws_fail(ws, WS_PROTOCOL_ERROR,
			    "continuation without a message"));
		return (0);
	case WS_OP_TEXT:
	case WS_OP_BINARY:
		if (ws->open_op != 0)
			return (ws_fail(ws, WS_PROTOCOL_ERROR,
			    "new message inside a fragmented one"));
		if (ws->halves & HALF_RCVD)
			return (ws_fail(ws, WS_PROTOCOL_ERROR,
			    "data behind the end of the stream"));
		if (op == WS_OP_TEXT && ws->pass == NULL &&
		    !text_is_half(ws, b) &&
		    (ws->msg == NULL || !ws->msg->text))
			return (ws_fail(ws, WS_UNSUPPORTED, "text message"));
		return (0);
	case WS_OP_CLOSE:
	case WS_OP_PING:
	case WS_OP_PONG:
		if (!(b & FIN))
			return (ws_fail(ws, WS_PROTOCOL_ERROR,
			    "fragmented control frame"));
		return (0);
	default:
		return (ws_fail(ws, WS_PROTOCOL_ERROR, "reserved opcode"));
	}
}

static int
header_second(struct ws *ws, uint8_t b)
{
	if (ws->role == WS_SERVER && !(b & MASKED))
		return (ws_fail(ws, WS_PROTOCOL_ERROR, ws->pass != NULL ?
		    "unmasked frame" :
		    "frame from the client is not masked"));
	if (ws->role == WS_CLIENT && (b & MASKED))
		return (ws_fail(ws, WS_PROTOCOL_ERROR,
		    "frame from the server is masked"));
	if (is_control(ws) && (b & LEN7) > WS_CONTROL_MAX)
		return (ws_fail(ws, WS_PROTOCOL_ERROR,
		    "control frame over 125 bytes"));
	if (ws->msg == NULL && ws->pass == NULL &&
	    (ws->hdr[0] & OPCODE) == WS_OP_TEXT && (b & LEN7) != 0)
		return (ws_fail(ws, WS_UNSUPPORTED, "text message"));
	return (0);
}

/* Bytes of the header, once the first two are there. */
static size_t
header_size(const struct ws *ws)
{
	size_t		 n = 2;

	if ((ws->hdr[1] & LEN7) == LEN16)
		n += 2;
	else if ((ws->hdr[1] & LEN7) == LEN64)
		n += 8;
	if (ws->hdr[1] & MASKED)
		n += 4;
	return (n);
}

/* How long may this frame be? In a relay it is the message that has a limit. */
static uint64_t
frame_limit(struct ws *ws)
{
	struct ws_pass	*pass = ws->pass;
	uint64_t	 limit = ws->frame_max;

	if (pass != NULL) {
		if ((ws->hdr[0] & OPCODE) != WS_OP_CONT)
			pass->len = 0;
		return (pass->max != 0 ? pass->max - pass->len : INT64_MAX);
	}
	if (ws->msg != NULL && ws->msg->max - ws->msg->len < limit)
		limit = ws->msg->max - ws->msg->len;
	return (limit);
}

static int
header_done(struct ws *ws)
{
	uint64_t	 n;
	size_t		 i, ext = 0;

	n = ws->hdr[1] & LEN7;
	if (n == LEN16 || n == LEN64) {
		ext = n == LEN16 ? 2 : 8;
		for (i = 0, n = 0; i < ext; i++)
			n = n << 8 | ws->hdr[2 + i];
		if (n >> 63)
			return (ws_fail(ws, WS_PROTOCOL_ERROR,
			    "length with the top bit set"));
		if (n < LEN16 || (ext == 8 && n <= UINT16_MAX))
			return (ws_fail(ws, WS_PROTOCOL_ERROR,
			    "length is not in its shortest form"));
	}
	if (!is_control(ws)) {
		if (n > frame_limit(ws))
			return (ws_fail(ws, WS_TOO_BIG,
			    ws->pass != NULL ? "message too big" :
			    ws->msg != NULL ? "message over the limit" :
			    "frame over the limit"));
		if (ws->pass != NULL && ws->pass->max != 0)
			ws->pass->len += n;
		if ((ws->hdr[0] & OPCODE) != WS_OP_CONT)
			ws->open_op = ws->hdr[0] & OPCODE;
	}
	if (ws->hdr[1] & MASKED)
		memcpy(ws->key, ws->hdr + 2 + ext, sizeof(ws->key));
	ws->left = n;
	ws->phase = 0;
	ws->ctllen = 0;
	ws->in_frame = 1;
	return (0);
}

/*
 * Take header bytes, up to the end of the header. Returns how many, or -1.
 * ws->in_frame says whether it is complete.
 */
static ssize_t
header_take(struct ws *ws, const uint8_t *p, size_t len)
{
	size_t		 used = 0;

	while (used < len && !ws->in_frame) {
		ws->hdr[ws->hdrlen++] = p[used++];
		if (ws->hdrlen == 1) {
			if (header_first(ws, ws->hdr[0]) == -1)
				return (-1);
			continue;
		}
		if (ws->hdrlen == 2 && header_second(ws, ws->hdr[1]) == -1)
			return (-1);
		if (ws->hdrlen == header_size(ws) && header_done(ws) == -1)
			return (-1);
	}
	return (used);
}

/* Hand a whole message out, unless our close has ended the conversation. */
static void
message_done(struct ws *ws, uint8_t *p, size_t len)
{
	struct ws_msg	*m = ws->msg;

	m->len = 0;
	if (ws->state == WS_OPEN)
		m->on_message(m->arg, ws->open_op, p, len);
}

/*
 * Message mode: `len` unmasked bytes of the current frame. A message that lies
 * whole in the input is handed out where it is; the rest is gathered. It fits:
 * header_done() has compared the frame with what is left of the limit.
 */
static int
message_data(struct ws *ws, uint8_t *p, size_t len)
{
	struct ws_msg	*m = ws->msg;
	int		 last = ws->left == 0 && (ws->hdr[0] & FIN);

	if (ws->open_op == WS_OP_TEXT &&
	    (ws_utf8_feed(p, len, &m->need, &m->lo, &m->hi) == -1 ||
	    (last && m->need != 0)))
		return (ws_fail(ws, WS_INVALID_DATA, "text is not UTF-8"));
	if (last && m->len == 0) {
		message_done(ws, p, len);
		return (0);
	}
	if (len != 0)
		memcpy(m->buf + m->len, p, len);
	m->len += len;
	if (last)
		message_done(ws, m->buf, m->len);
	return (0);
}

static void
control_data(struct ws *ws, const uint8_t *p, size_t len)
{
	if (ws->role == WS_SERVER)
		ws_mask_move(ws->ctl + ws->ctllen, p, len, ws->key, ws->phase);
	else
		memcpy(ws->ctl + ws->ctllen, p, len);
	ws->ctllen += len;
}

/*
 * The legal codes of tunnel-protocol.md, section 2; and between the sides of a
 * relay session 1014, which IANA has registered since and others may send.
 */
static int
close_code_ok(const struct ws *ws, uint16_t code)
{
	return ((code >= 1000 && code <= 1003) ||
	    (code >= 1007 && code <= (ws->pass != NULL ? 1014 : 1013)) ||
	    (code >= 3000 && code <= 4999));
}

static int
close_rcvd(struct ws *ws)
{
	uint16_t	 code = WS_NO_STATUS;

	if (ws->ctllen == 1)
		return (ws_fail(ws, WS_PROTOCOL_ERROR, "close with one byte"));
	if (ws->ctllen >= 2) {
		code = ws->ctl[0] << 8 | ws->ctl[1];
		if (!close_code_ok(ws, code))
			return (ws_fail(ws, WS_PROTOCOL_ERROR,
			    "illegal close code"));
		if (!ws_utf8(ws->ctl + 2, ws->ctllen - 2))
			return (ws_fail(ws, WS_PROTOCOL_ERROR,
			    "close reason is not UTF-8"));
	}
	ws->code_in = code;
	if (ws->state == WS_OPEN) {
		ws->code_out = code;
		ws->close = 1;
		if (ws->pass != NULL) {
			ws->pong = 0;
			ws->outlen = ws->ctllen > 2 ? ws->ctllen - 2 : 0;
			memcpy(ws->out, ws->ctl + 2, ws->outlen);
		}
	}
	ws->state = ws->close ? WS_CLOSE_RCVD : WS_CLOSED;
	return (0);
}

/*
 * A control frame is complete. Pings are answered until a close is queued: the
 * room for the answer may hold the close's reason then.
 */
static int
control_done(struct ws *ws)
{
	switch (ws->hdr[0] & OPCODE) {
	case WS_OP_CLOSE:
		return (close_rcvd(ws));
	case WS_OP_PING:
		if (ws->state != WS_OPEN)
			break;
		if (ws->ctllen != 0)
			memcpy(ws->out, ws->ctl, ws->ctllen);
		ws->outlen = ws->ctllen;
		ws->pong = 1;
		break;
	case WS_OP_PONG:
		if (ws->msg != NULL && ws->msg->on_pong != NULL)
			ws->msg->on_pong(ws->msg->arg, ws->ctl, ws->ctllen);
		break;
	}
	return (0);
}

/*
 * Take `len` bytes of payload, at most what is left of the frame; data goes to
 * `dst`, which is not behind `src`.
 */
static int
payload_take(struct ws *ws, uint8_t *dst, const uint8_t *src, size_t len)
{
	if (is_control(ws))
		control_data(ws, src, len);
	else if (ws->role == WS_SERVER)
		ws_mask_move(dst, src, len, ws->key, ws->phase);
	else if (dst != src)
		memmove(dst, src, len);
	ws->phase = (ws->phase + len) & 3;
	ws->left -= len;
	if (ws->msg != NULL && !is_control(ws))
		return (message_data(ws, dst, len));
	return (0);
}

static int
frame_done(struct ws *ws)
{
	ws->in_frame = 0;
	ws->hdrlen = 0;
	if (is_control(ws))
		return (control_done(ws));
	if (ws->msg == NULL && ws->pass == NULL && ws->open_op == WS_OP_TEXT)
		ws->halves |= HALF_RCVD;
	if (ws->hdr[0] & FIN)
		ws->open_op = 0;
	return (0);
}

static int
is_over(const struct ws *ws)
{
	return (ws->state != WS_OPEN && ws->state != WS_CLOSE_SENT);
}

/*
 * `r` is where the next byte is read, `w` where the next byte of the stream
 * goes: never behind `r`, so the payload moves to the front in one pass.
 */
int
ws_input(struct ws *ws, uint8_t *buf, size_t len, size_t *payload_len)
{
	size_t		 n, r = 0, w = 0;
	ssize_t		 used;
	int		 rv = ws->state == WS_FAILED ? -1 : 0;

	while (r < len && !is_over(ws)) {
		if ((used = header_take(ws, buf + r, len - r)) == -1) {
			rv = -1;
			break;
		}
		r += used;
		if (!ws->in_frame)
			break;
		n = len - r < ws->left ? len - r : ws->left;
		if ((rv = payload_take(ws, buf + w, buf + r, n)) == -1)
			break;
		r += n;
		if (ws->msg == NULL && !is_control(ws))
			w += n;
		if (ws->left == 0 && (rv = frame_done(ws)) == -1)
			break;
	}
	if (payload_len != NULL)
		*payload_len = w;
	return (rv);
}

/*
 * `n` bytes of a data frame become a frame of their own: a long one is passed
 * on as it comes. Its header is shorter than the one it replaces, or there was
 * room for it. Bytes written to `dst`.
 */
static size_t
pass_take(struct ws *ws, uint8_t *dst, const uint8_t *src, size_t n)
{
	struct ws_pass	*pass = ws->pass;
	int		 fin = n == ws->left && (ws->hdr[0] & FIN);
	size_t		 head;

	if (n == 0 && !fin)
		return (0);
	head = ws_header(dst, pass->begun ? WS_OP_CONT : ws->open_op, n, NULL);
	if (!fin)
		dst[0] &= (uint8_t)~FIN;
	pass->begun = !fin;
	pass->payload += n;
	(void)payload_take(ws, dst + head, src, n);
	return (head + n);
}

int
ws_relay(struct ws *ws, uint8_t *buf, size_t len, size_t *out_len)
{
	size_t		 n, r = WS_PASS_ROOM, w = 0;
	ssize_t		 used;
	int		 rv = ws->state == WS_FAILED ? -1 : 0;

	len += WS_PASS_ROOM;
	while (r < len && !is_over(ws)) {
		if ((used = header_take(ws, buf + r, len - r)) == -1) {
			rv = -1;
			break;
		}
		r += (size_t)used;
		if (!ws->in_frame)
			break;
		n = len - r < ws->left ? len - r : ws->left;
		if (is_control(ws))
			(void)payload_take(ws, buf + r, buf + r, n);
		else
			w += pass_take(ws, buf + w, buf + r, n);
		r += n;
		if (ws->left == 0 && (rv = frame_done(ws)) == -1)
			break;
	}
	*out_len = w;
	return (rv);
}
