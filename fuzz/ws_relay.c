/* SPDX-License-Identifier: ISC */

/*
 * What a relay passes on: the first byte chooses the limit, the rest is what a
 * peer sends. What comes out are whole frames that any client takes, never
 * longer than what went in and the room for one header; fed whole, byte by byte
 * and in odd pieces they are the same messages, and the verdict and the answer
 * to the peer are the same.
 */
#include "ws/ws.h"
#include "fuzz.h"

#define LIMIT	300		/* small, so that it is crossed */

struct run {
	uint8_t		*got;		/* of all messages, types and ends */
	size_t		 len;
	int		 open;		/* a message has begun */
	uint64_t	 message;	/* its bytes so far */
	uint64_t	 payload;
	uint8_t		 out[WS_OUTPUT_MAX];
	size_t		 outlen;
	int		 rv;
	enum ws_state	 state;
};

/* A server's frames, whole ones only; anything else is a fault of ours. */
static void
frames(struct run *r, const uint8_t *p, size_t len, uint64_t max)
{
	size_t	n, head, i;
	int	op;

	while (len > 0) {
		if (len < 2 || (p[0] & 0x70) != 0 || (p[1] & 0x80) != 0)
			abort();
		op = p[0] & 15;
		head = p[1] < 126 ? 2 : p[1] == 126 ? 4 : 10;
		if (len < head)
			abort();
		for (n = p[1], i = 2; i < head; i++)
			n = i == 2 ? p[2] : n << 8 | p[i];
		if (len - head < n || op > WS_OP_BINARY ||
		    (op == WS_OP_CONT) != r->open)
			abort();
		if (!r->open) {
			r->got[r->len++] = (uint8_t)op;
			r->message = 0;
		}
		if (n != 0)
			memcpy(r->got + r->len, p + head, n);
		r->len += n;
		r->message += n;
		r->open = (p[0] & 0x80) == 0;
		if (!r->open)
			r->got[r->len++] = 0xfe;
		if (max != 0 && r->message > max)
			abort();
		p += head + n;
		len -= head + n;
	}
}

static void
feed(struct run *r, uint64_t max, const uint8_t *p, size_t size, size_t step)
{
	struct ws_pass	 pass = { .max = max };
	struct ws	 ws;
	uint8_t		*buf;
	size_t		 i, n, got;

	memset(r, 0, sizeof(*r));
	if ((r->got = malloc(2 * size + 2)) == NULL)
		abort();
	ws_init(&ws, WS_SERVER, NULL);
	ws_set_relay(&ws, &pass);
	for (i = 0; i < size; i += n) {
		n = size - i < step ? size - i : step;
		if ((buf = malloc(WS_PASS_ROOM + n)) == NULL)
			abort();
		memcpy(buf + WS_PASS_ROOM, p + i, n);
		r->rv = ws_relay(&ws, buf, n, &got);
		if (got > WS_PASS_ROOM + n)
			abort();
		frames(r, buf, got, max);
		free(buf);
	}
	r->payload = pass.payload;
	r->outlen = ws_output(&ws, r->out, NULL);
	r->state = ws_state(&ws);
	if ((r->rv == -1) != (r->state == WS_FAILED) || ws_pending(&ws))
		abort();
}

/*
 * The start of a long message is passed on: a fault cuts it where it was read.
 */
static void
compare(const struct run *a, const struct run *b)
{
	if (a->rv != b->rv || a->state != b->state || a->outlen != b->outlen ||
	    memcmp(a->out, b->out, a->outlen) != 0 || a->len != b->len ||
	    (a->len != 0 && memcmp(a->got, b->got, a->len) != 0) ||
	    a->open != b->open || a->payload != b->payload)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t size)
{
	static const size_t	steps[] = { 1, 2, 3, 7, 64 };
	struct run		whole, r;
	size_t			i;

	if (size == 0 || size > 65536)
		return (0);
	feed(&whole, p[0] & 1 ? LIMIT : 0, p + 1, size - 1, size);
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		feed(&r, p[0] & 1 ? LIMIT : 0, p + 1, size - 1, steps[i]);
		compare(&whole, &r);
		free(r.got);
	}
	free(whole.got);
	return (0);
}
