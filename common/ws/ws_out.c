/* SPDX-License-Identifier: ISC */

/* WebSocket output: frame headers, pongs, and the close handshake. */

#include <string.h>

#include "ws.h"
#include "ws_int.h"

#define FIN	0x80
#define MASKED	0x80
#define LEN16	126
#define LEN64	127

static size_t	put_control(const struct ws *, uint8_t *, enum ws_opcode,
		    const uint8_t *, size_t, const uint8_t *);
static size_t	put_close(const struct ws *, uint8_t *, const uint8_t *,
		    size_t, const uint8_t *);
static size_t	cut_utf8(const char *, size_t, size_t);

size_t
ws_header(uint8_t out[WS_HEADER_MAX], enum ws_opcode op, uint64_t len,
    const uint8_t *key)
{
	size_t		 n = 2, ext;

	out[0] = FIN | op;
	if (len < LEN16) {
		out[1] = len;
		ext = 0;
	} else if (len <= UINT16_MAX) {
		out[1] = LEN16;
		ext = 2;
	} else {
		out[1] = LEN64;
		ext = 8;
	}
	while (ext-- > 0)
		out[n++] = len >> (8 * ext);
	if (key != NULL) {
		out[1] |= MASKED;
		memcpy(out + n, key, 4);
		n += 4;
	}
	return (n);
}

/* Write one control frame; `key` is looked at in the client's role only. */
static size_t
put_control(const struct ws *ws, uint8_t *out, enum ws_opcode op,
    const uint8_t *p, size_t len, const uint8_t *key)
{
	size_t		 n;

	if (ws->role == WS_SERVER)
		key = NULL;
	n = ws_header(out, op, len, key);
	if (len != 0)
		memcpy(out + n, p, len);
	if (key != NULL)
		ws_mask(out + n, len, key, 0);
	return (n + len);
}

static size_t
put_close(const struct ws *ws, uint8_t *out, const uint8_t *reason,
    size_t len, const uint8_t *key)
{
	uint8_t		 body[WS_CONTROL_MAX];

	if (ws->code_out == WS_NO_STATUS)
		return (put_control(ws, out, WS_OP_CLOSE, NULL, 0, key));
	body[0] = ws->code_out >> 8;
	body[1] = ws->code_out;
	if (len != 0)
		memcpy(body + 2, reason, len);
	return (put_control(ws, out, WS_OP_CLOSE, body, 2 + len, key));
}

int
ws_pending(const struct ws *ws)
{
	return (ws->pong || ws->close);
}

size_t
ws_output(struct ws *ws, uint8_t out[WS_OUTPUT_MAX], const uint8_t rnd[8])
{
	size_t		 n = 0;

	if (ws->pong) {
		n = put_control(ws, out, WS_OP_PONG, ws->out, ws->outlen, rnd);
		ws->pong = 0;
		ws->outlen = 0;
	}
	if (ws->close) {
		n += put_close(ws, out + n, ws->out, ws->outlen,
		    ws->role == WS_CLIENT ? rnd + 4 : NULL);
		ws->close = 0;
		ws->outlen = 0;
		if (ws->state == WS_CLOSE_RCVD)
			ws->state = WS_CLOSED;
	}
	return (n);
}

/* The longest start of `s`, at most `max` bytes, that cuts no character. */
static size_t
cut_utf8(const char *s, size_t len, size_t max)
{
	if (len <= max)
		return (len);
	while (max > 0 && ((uint8_t)s[max] & 0xc0) == 0x80)
		max--;
	return (max);
}

void
ws_close(struct ws *ws, uint16_t code, const char *reason)
{
	if (ws->state != WS_OPEN)
		return;
	ws->state = WS_CLOSE_SENT;
	ws->close = 1;
	ws->code_out = code == 0 ? WS_NO_STATUS : code;
	if (ws->code_out == WS_NO_STATUS || reason == NULL || *reason == '\0')
		return;
	ws->pong = 0;
	ws->outlen = cut_utf8(reason, strlen(reason), WS_REASON_MAX);
	memcpy(ws->out, reason, ws->outlen);
}

int
ws_may_send(const struct ws *ws)
{
	return (ws->state == WS_OPEN);
}

enum ws_state
ws_state(const struct ws *ws)
{
	return (ws->state);
}

int
ws_done(const struct ws *ws)
{
	return (!ws_pending(ws) &&
	    (ws->state == WS_CLOSED || ws->state == WS_FAILED));
}

uint16_t
ws_peer_code(const struct ws *ws)
{
	return (ws->code_in);
}

size_t
ws_peer_reason(const struct ws *ws, const char **reason)
{
	size_t		 len = 0;

	if (ws->code_in != 0 && ws->ctllen > 2)
		len = ws->ctllen - 2;
	if (reason != NULL)
		*reason = (const char *)ws->ctl + 2;
	return (len);
}

uint16_t
ws_own_code(const struct ws *ws)
{
	return (ws->code_out);
}

const char *
ws_error(const struct ws *ws)
{
	return (ws->error);
}
