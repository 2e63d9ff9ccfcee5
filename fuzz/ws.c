/* SPDX-License-Identifier: ISC */

/*
 * The WebSocket codec: the first byte chooses role, mode and limits, the rest
 * is what the peer sends. Fed whole, byte by byte and in odd pieces the same
 * bytes must give the same payload, messages, verdict and answer.
 */
#include "ws/ws.h"
#include "fuzz.h"

#define MESSAGE_MAX	300		/* small, so that it is crossed */
#define FRAME_MAX	5000

struct run {
	uint8_t		*got;		/* payload, or messages and marks */
	size_t		 len;
	uint8_t		 out[WS_OUTPUT_MAX];
	size_t		 outlen;
	int		 rv;
	enum ws_state	 state;
	uint16_t	 peer_code;
	const char	*error;
};

static void
on_message(void *arg, int opcode, uint8_t *data, size_t len)
{
	struct run	*r = arg;

	if (len > MESSAGE_MAX || (opcode == WS_OP_TEXT && !ws_utf8(data, len)))
		abort();
	if (len != 0)
		memcpy(r->got + r->len, data, len);
	r->len += len;
	r->got[r->len++] = opcode;
}

static void
feed(struct run *r, uint8_t how, const uint8_t *p, size_t size, size_t step)
{
	static const uint8_t	 rnd[8] = { 9, 8, 7, 6, 5, 4, 3, 2 };
	static uint8_t		 buf[MESSAGE_MAX];
	struct ws_msg		 m = { .buf = buf, .max = sizeof(buf),
				    .on_message = on_message, .arg = r,
				    .text = how & 4 };
	struct ws		 ws;
	uint8_t			*copy;
	size_t			 i, n, got;

	memset(r, 0, sizeof(*r));
	/* A message is marked by one byte and has at least two of header. */
	if ((r->got = malloc(size + 1)) == NULL)
		abort();
	ws_init(&ws, how & 1 ? WS_CLIENT : WS_SERVER, how & 2 ? &m : NULL);
	ws_set_frame_max(&ws, FRAME_MAX);
	if (how & 8)
		ws_take_half(&ws);
	for (i = 0; i < size; i += n) {
		n = size - i < step ? size - i : step;
		if ((copy = malloc(n)) == NULL)
			abort();
		memcpy(copy, p + i, n);
		r->rv = ws_input(&ws, copy, n, &got);
		if (got > n)
			abort();
		if (got != 0)
			memcpy(r->got + r->len, copy, got);
		r->len += got;
		free(copy);
	}
	r->error = ws_error(&ws);
	r->peer_code = ws_peer_code(&ws);
	r->outlen = ws_output(&ws, r->out, rnd);
	r->state = ws_state(&ws);
	if ((r->rv == -1) != (r->state == WS_FAILED) || ws_pending(&ws))
		abort();
	if (ws_half_rcvd(&ws) && (!(how & 8) || how & 2))
		abort();
	if (r->state == WS_FAILED && (ws_own_code(&ws) == 0 || !ws_done(&ws)))
		abort();
}

static void
compare(const struct run *a, const struct run *b)
{
	if (a->len != b->len || (a->len != 0 && memcmp(a->got, b->got,
	    a->len) != 0) || a->outlen != b->outlen ||
	    memcmp(a->out, b->out, a->outlen) != 0 || a->rv != b->rv ||
	    a->state != b->state || a->peer_code != b->peer_code ||
	    a->error != b->error)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t size)
{
	struct run	 whole, other;
	uint8_t		 how;

	if (size == 0)
		return (0);
	how = *p++;
	size--;
	feed(&whole, how, p, size, size);
	feed(&other, how, p, size, 1);
	compare(&whole, &other);
	free(other.got);
	feed(&other, how, p, size, 3 + (how >> 4));
	compare(&whole, &other);
	free(other.got);
	free(whole.got);
	return (0);
}
