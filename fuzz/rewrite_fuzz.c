/* SPDX-License-Identifier: ISC */
/*
 * A body that is rewritten. However it is cut it comes out the same, as long as
 * was counted before, and has nothing in it that would be replaced once more.
 * What comes packed or in chunks ends, whatever it is.
 */
#include "proxyd/http/repack.h"
#include "proxyd/http/rewrite.h"
#include "proxyd/http/sniff.h"
#include "fuzz.h"

#define ROOM	(1 << 20)

static struct service	services[] = {
	{ .label = "web", .target = "10.0.0.1:8080", .host = "a.b" },
	{ .label = "sub", .target = "10.0.0.1:9", .host = "c.a.b" },
	{ .label = "ip", .target = "10.0.0.1:80", .host = "10.0.0.1" },
	{ .label = "http", .target = "10.0.0.2:80", .host = "http" },
	{ .label = "two", .target = "10.0.0.3:81", .host = "a.b:7" },
};
static const struct host	browser = { "web",
    "0123456789abcdef0123456789abcdef" };
static const struct origin_at	at = { "support.example.com", "https", 443, 0 };
static struct service *const	listed[] = { &services[0], &services[1],
    &services[2], &services[3], &services[4] };
static const struct urlmap	map = { { listed, 5, 5 }, NULL, NULL, &browser,
    &at };
static struct rewrite		*r;

/* The body in steps; how long it became, or -1. */
static long
run(const struct repack_body *body, size_t step, struct rewrite_out *o)
{
	static struct repack	k;
	int			n;

	if (repack_begin(&k, r, body) == -1)
		return (-1);
	while ((n = repack_run(&k, step, o)) == 1 &&
	    o->cap - o->len >= REWRITE_ROOM)
		continue;
	repack_end(&k);
	return (n == 0 ? (long)o->len : -1);
}

static void
in_pieces(const struct repack_body *body, size_t step, long want)
{
	static char		once[ROOM], twice[ROOM], piece[REWRITE_ROOM + 9];
	struct rewrite_out	a = { once, 0, ROOM, 0 };
	struct rewrite_out	b = { twice, 0, ROOM, 0 };
	struct rewrite_out	p;
	struct repack_body	again = { once, 0, 0, 0 };
	size_t			at_ = 0, n = 0;

	if (want < 0 || want > ROOM - REWRITE_ROOM)
		return;
	if (run(body, step, &a) != want)
		abort();
	if (!body->chunked && !body->gzip) {
		while (at_ < body->len) {
			memset(&p, 0, sizeof(p));
			p.p = piece;
			p.cap = sizeof(piece);
			at_ = rewrite_run(r, body->in, at_, body->len, 1, &p);
			if (p.len == 0 || memcmp(once + n, piece, p.len) != 0)
				abort();
			n += p.len;
		}
		if (n != a.len)
			abort();
	}
	again.len = a.len;
	if (run(&again, 65536, &b) != want || b.hits != 0 ||
	    memcmp(once, twice, a.len) != 0)
		abort();
}

/* What is said of a part is said of the whole. */
static void
sniffed(const struct repack_body *body)
{
	int	(*sniff)(const char *, size_t, int) = body->chunked ?
		    sniff_chunked : sniff_page;
	int	 page = sniff(body->in, body->len, 1), part;
	size_t	 n;

	for (n = 0; n < body->len && n < 100; n++)
		if ((part = sniff(body->in, n, 0)) != -1 && part != page)
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct rewrite_out	count = { NULL, 0, SIZE_MAX, 0 };
	struct repack_body	body;
	long			want;

	if (len < 2)
		return (0);
	if (r == NULL && (r = rewrite_new(&map)) == NULL)
		abort();
	body.in = (const char *)data + 2;
	body.len = len - 2;
	body.gzip = data[0] & 1;
	body.chunked = (data[0] & 2) != 0;
	sniffed(&body);
	want = run(&body, 65536, &count);
	in_pieces(&body, 1 + data[1], want);
	return (0);
}
