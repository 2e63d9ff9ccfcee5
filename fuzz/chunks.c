/* SPDX-License-Identifier: ISC */
/*
 * A service's chunks on their way to the browser: whatever it says and however it
 * is cut, what goes on is strict, has the same data, ends only where it ended,
 * and, where that was strict, is as it came but for trailers. The first byte is
 * the length of the pieces, and whether the connection ends behind them.
 */
#include "http/head.h"
#include "regress/lib/passedon.h"
#include "fuzz.h"

#define CHECK(cond)	do { if (!(cond)) abort(); } while (0)

static char *
copy_of(const char *p, size_t len)
{
	char	*copy = malloc(len + 1);

	CHECK(copy != NULL);
	if (len > 0)
		memcpy(copy, p, len);
	return (copy);
}

/* The data in place of its chunks, as far as it goes: how much. */
static size_t
data_of(char *p, size_t len)
{
	struct httphead_chunk	c;
	size_t			out = 0, at = 0;
	struct slice		run;
	ssize_t			n;

	memset(&c, 0, sizeof(c));
	c.lenient = 1;
	while (at < len && !c.done) {
		if ((n = httphead_chunk_next(&c, p + at, len - at, &run)) == -1)
			break;
		memmove(p + out, run.s, run.len);
		out += run.len;
		at += (size_t)n;
	}
	return (out);
}

/* How much of it comes before the first byte that is odd, or broken. */
static size_t
strict_of(const char *p, size_t len, int *whole)
{
	struct httphead_chunk	c;
	size_t			n = 0;

	memset(&c, 0, sizeof(c));
	c.lenient = 1;
	while (n < len && !c.odd && !c.done &&
	    httphead_chunk_scan(&c, p + n, 1) == 1)
		n++;
	*whole = c.done && !c.odd;
	return (n - (size_t)c.loose);
}

static size_t
without_trailers(char *p, size_t len)
{
	struct httphead_chunk	c;
	ssize_t			n;

	memset(&c, 0, sizeof(c));
	n = httphead_chunk_bare(&c, p, &len);
	CHECK(n >= 0 && c.done);
	return ((size_t)n);
}

static void
run(const char *body, size_t len, size_t step, int ends, struct passedon *o)
{
	char	*from, *to;
	size_t	 had, has, same;
	int	 r, strict, whole;

	CHECK((o->out = malloc(PASSEDON_ROOM(len))) != NULL);
	r = passedon(o, body, len, step, ends);
	strict = passedon_is_strict(o->out, o->len);
	CHECK(strict != -1 && strict == o->done && (r == 0 || !o->done));
	same = strict_of(body, len, &whole);
	from = copy_of(body, len);
	if (whole) {
		same = without_trailers(from, len);
		CHECK(o->done && o->len == same);
	}
	if (r == 0)
		CHECK(o->len >= same);
	CHECK(memcmp(o->out, from, o->len < same ? o->len : same) == 0);
	to = copy_of(o->out, o->len);
	had = data_of(from, len);
	has = data_of(to, o->len);
	/* Of a piece that is broken nothing goes on. */
	CHECK(has <= had && memcmp(from, to, has) == 0);
	CHECK(r == -1 || has == had);
	free(from);
	free(to);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t size)
{
	struct passedon	 whole, cut;
	char		*body;
	size_t		 step;
	int		 ends;

	if (size < 2)
		return (0);
	ends = *p & 1;
	step = 1 + (*p >> 1) % 16;
	body = copy_of((const char *)p + 1, --size);
	run(body, size, size, ends, &whole);
	run(body, size, step, ends, &cut);
	/* Bytes behind the end are nobody's. */
	CHECK(whole.done == cut.done && whole.odd == cut.odd);
	free(whole.out);
	free(cut.out);
	free(body);
	return (0);
}
