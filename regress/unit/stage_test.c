/* SPDX-License-Identifier: ISC */
/* A body's way through its stages: every cut of it gives the same. */
#include <string.h>

#include "proxyd/http/stage.h"
#include "regress/lib/tap.h"

static const char	chunked[] = "5;x=y\r\nhello\r\n1\r\n,\r\n00b\r\n stage "
    "hand\r\n0\r\nT: r\r\n\r\n";

static void
test_wanted(void)
{
	struct httphead	h;
	struct stages	s;
	struct flow	f;

	memset(&h, 0, sizeof(h));
	h.flags = HTTPHEAD_CHUNKED;
	stages_begin(&s, &h, 1);
	is_int((int)s.n, 1, "chunks to HTTP/1.0: one stage");
	stages_begin(&s, &h, 0);
	is_int((int)s.n, 0, "chunks to HTTP/1.1: none");
	memset(&f, 0, sizeof(f));
	f.raw = f.chunk.odd = 1;
	f.ready = 5;
	f.chunk.loose = 2;
	stages_anew(&s, &f, 1);
	is_int((int)s.n, 2, "odd chunks to HTTP/1.1: made anew");
	ok(!flow_is_odd(&f) && f.ready == 7, "all of them");
	h.flags = HTTPHEAD_TO_CLOSE;
	stages_begin(&s, &h, 0);
	ok(s.n == 1 && s.stage[0].kind == STAGE_RECHUNK,
	    "no length to HTTP/1.1: chunks");
	stages_begin(&s, &h, 1);
	is_int((int)s.n, 0, "no length to HTTP/1.0: none");
	h.flags = HTTPHEAD_LENGTH;
	stages_begin(&s, &h, 1);
	is_int((int)s.n, 0, "a length to HTTP/1.0: none");
}

/* The body in two pieces, cut at `at`, into out. Length, or -1. */
static int
run(const char *body, size_t len, size_t at, char *out, int *over)
{
	struct httphead	h;
	struct stages	s;
	struct piece	b;
	char		buf[128];
	size_t		used = 0, got = 0;
	ssize_t		n;
	int		i;

	memset(&h, 0, sizeof(h));
	h.flags = HTTPHEAD_CHUNKED;
	stages_begin(&s, &h, 1);
	for (i = 0; i < 2; i++) {
		memcpy(buf, body + used, (i == 0 ? at : len) - used);
		b.p = buf;
		b.len = (i == 0 ? at : len) - used;
		b.last = i == 1;
		if ((n = stages_run(&s, &b)) == -1)
			return (-1);
		memcpy(out + got, b.p, b.len);
		got += b.len;
		used += (size_t)n;
		if (i == 0 && s.over)
			return (-1);
	}
	*over = s.over && used == len;
	return ((int)got);
}

static void
test_cuts(void)
{
	static const char	want[] = "hello, stage hand";
	char			out[128];
	size_t			at, len = sizeof(chunked) - 1;
	int			n, over, good = 0;

	for (at = 0; at <= len; at++) {
		over = 0;
		n = run(chunked, len, at, out, &over);
		good += over && n == (int)sizeof(want) - 1 &&
		    memcmp(out, want, sizeof(want) - 1) == 0;
	}
	is_int(good, (int)len + 1, "the same data wherever it is cut");
}

static void
test_malformed(void)
{
	char	out[128];
	int	over;

	is_int(run("5\r\nhelloX", 9, 4, out, &over), -1,
	    "no line end behind a chunk: malformed");
}

int
main(void)
{
	test_wanted();
	test_cuts();
	test_malformed();
	return (done_testing());
}
