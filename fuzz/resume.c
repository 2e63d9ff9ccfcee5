/* SPDX-License-Identifier: ISC */

/*
 * A leg that can be taken up again: each piece of the input is a length and a
 * frame of it, or what is done to it meanwhile. What comes out are whole frames
 * within the room that was said to be there, numbers only grow, and what is
 * kept is what was not acknowledged.
 */
#include "rendd/resume.h"
#include "fuzz.h"

static struct pipe	to;

static size_t
frame(uint8_t *dst, uint8_t how, const uint8_t *data, size_t len)
{
	size_t	n = ws_header(dst, how & 1 ? WS_OP_BINARY : WS_OP_CONT, len,
		    NULL);

	if (how & 2)
		dst[0] &= 0x7f;
	if (len > 0)
		memcpy(dst + n, data, len);
	return (n + len);
}

static void
look(const struct resume *r)
{
	const struct kept	*k;
	uint64_t		 last = r->acked;
	size_t			 all = 0;

	STAILQ_FOREACH(k, &r->kept, entry) {
		if (k->number <= last || k->number > r->out)
			abort();
		last = k->number;
		all += k->len;
	}
	if (all != r->kept_len || (r->next != NULL && r->off >= r->next->len) ||
	    to.off + to.len > sizeof(to.data) - WS_PASS_ROOM)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t	 buf[10 + 255];
	struct resume	*r = resume_new();
	const char	*why;
	uint64_t	 payload = 0, before;
	size_t		 n, m;
	int		 bad = 0;

	if (r == NULL)
		abort();
	while (len > 2 && !bad) {
		n = data[1] < len - 2 ? data[1] : len - 2;
		m = frame(buf, data[0], data + 2, n);
		before = r->in;
		to.off = to.len = 0;
		switch (data[0] >> 6) {
		case 0:
		case 1:
			if (!resume_fits(r, &to))
				abort();
			bad = resume_take(r, buf, m, &to, &payload, &why);
			if (bad == -1 && why == NULL)
				abort();
			break;
		case 2:
			bad = resume_keep(r, buf, m);
			break;
		default:
			if (data[0] & 1)
				bad = resume_again(r, n);
			else if (r->next != NULL)
				resume_wrote(r, n < r->next->len - r->off ?
				    n : r->next->len - r->off);
			break;
		}
		if (r->in < before)
			abort();
		look(r);
		data += 2 + n;
		len -= 2 + n;
	}
	resume_free(r);
	return (0);
}
