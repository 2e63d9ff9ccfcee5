/* SPDX-License-Identifier: ISC */
/*
 * What is typed into a terminal of relay(1): however it is cut, the same is
 * passed on and the same is found, and nothing is passed on that was not typed.
 */
#include "relay/escape.h"
#include "fuzz.h"

#define TYPED_MAX	512

struct said {
	uint8_t	out[2 * TYPED_MAX];
	size_t	n, used;
	int	what;
};

static void
typed(struct said *s, int ch, const uint8_t *in, size_t len, size_t step)
{
	struct escape	 e = { .ch = ch };
	uint8_t		 out[TYPED_MAX + 1];
	size_t		 at = 0, part, used, n;
	enum escaped	 what = ESCAPED_NOT;

	memset(s, 0, sizeof(*s));
	while (at < len && what == ESCAPED_NOT) {
		part = len - at < step ? len - at : step;
		what = escape_take(&e, in + at, part, &used, out, &n);
		if (used > part || n > used + 1 ||
		    (what == ESCAPED_NOT && used != part))
			abort();
		memcpy(s->out + s->n, out, n);
		s->n += n;
		at += used;
	}
	s->used = at;
	s->what = what;
	if (s->n > at)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct said	once, cut;

	if (len < 2 || len - 2 > TYPED_MAX)
		return (0);
	typed(&once, data[0], data + 2, len - 2, TYPED_MAX);
	typed(&cut, data[0], data + 2, len - 2, 1 + data[1] % 8);
	if (once.n != cut.n || once.used != cut.used ||
	    once.what != cut.what || memcmp(once.out, cut.out, once.n) != 0)
		abort();
	return (0);
}
