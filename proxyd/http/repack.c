/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "repack.h"

#define GZIP_BITS	(15 + 16)	/* zlib: gzip's own head and sum */
#define PACK_LEVEL	1		/* a page is packed while all wait */
#define PACK_MEM	8
/* What a byte to unpack may cost, in bytes of content: blocks can be empty. */
#define UNPACK_COST	4

int
repack_begin(struct repack *r, const struct rewrite *map,
    const struct repack_body *body)
{
	r->map = map;
	r->in = body->in;
	r->in_len = body->len;
	r->chunked = body->chunked;
	r->gzip = body->gzip;
	r->run.s = NULL;
	r->run.len = 0;
	memset(&r->chunk, 0, sizeof(r->chunk));
	r->chunk.lenient = 1;
	memset(&r->z, 0, sizeof(r->z));
	r->over = 0;
	r->spent = r->content = r->from = r->have = 0;
	if (r->gzip && inflateInit2(&r->z, GZIP_BITS) != Z_OK)
		return (-1);
	return (0);
}

void
repack_end(struct repack *r)
{
	if (r->gzip)
		(void)inflateEnd(&r->z);
}

/* More of the body behind its chunks' framing; none: the end. 0 or -1. */
static int
next_run(struct repack *r)
{
	ssize_t	n;

	while (r->run.len == 0 && r->in_len > 0) {
		r->run.s = r->in;
		r->run.len = r->in_len;
		n = (ssize_t)r->in_len;
		if (r->chunked && (n = httphead_chunk_next(&r->chunk, r->in,
		    r->in_len, &r->run)) == -1)
			return (-1);
		if (n == 0)
			break;
		r->in += n;
		r->in_len -= (size_t)n;
	}
	return (0);
}

static void
run_used(struct repack *r, size_t n)
{
	r->run.s += n;
	r->run.len -= n;
}

/*
 * Unpack from the run into the window, for about so much effort. 0, or -1:
 * corrupt.
 */
static int
unpack(struct repack *r, size_t room, size_t effort)
{
	size_t	in = effort / UNPACK_COST + 1;
	int	n;

	if (in > r->run.len)
		in = r->run.len;
	r->z.next_in = (z_const Bytef *)(uintptr_t)r->run.s;
	r->z.avail_in = (uInt)in;
	r->z.next_out = (Bytef *)r->window + r->have;
	r->z.avail_out = (uInt)room;
	n = inflate(&r->z, Z_NO_FLUSH);
	if ((n != Z_OK && n != Z_STREAM_END && n != Z_BUF_ERROR) ||
	    /* It gets nowhere: cut short. */
	    (r->z.avail_in == in && r->z.avail_out == room &&
	    n != Z_STREAM_END))
		return (-1);
	in -= r->z.avail_in;
	room -= r->z.avail_out;
	run_used(r, in);
	r->have += room;
	r->spent += in * UNPACK_COST + room;
	if (n != Z_STREAM_END)
		return (0);
	/* What stands behind it is for others to make sense of. */
	r->over = 1;
	return (next_run(r) == -1 || r->run.len > 0 ? -1 : 0);
}

/* More of the content into the window, for about so much effort. 0 or -1. */
static int
fill(struct repack *r, size_t effort)
{
	size_t	shift, n, end, until = r->spent + effort;

	if (r->from > REWRITE_BEHIND) {
		shift = r->from - REWRITE_BEHIND;
		memmove(r->window, r->window + shift, r->have - shift);
		r->from -= shift;
		r->have -= shift;
	}
	n = sizeof(r->window) - r->have;
	end = r->have + (n < effort ? n : effort);
	while (!r->over && r->have < end && r->spent < until) {
		if (next_run(r) == -1)
			return (-1);
		n = end - r->have;
		if (r->gzip) {
			if (unpack(r, n, until - r->spent) == -1)
				return (-1);
		} else if (r->run.len == 0)
			r->over = 1;
		else {
			if (n > r->run.len)
				n = r->run.len;
			memcpy(r->window + r->have, r->run.s, n);
			r->have += n;
			r->spent += n;
			run_used(r, n);
		}
	}
	return (0);
}

int
repack_run(struct repack *r, size_t effort, struct rewrite_out *o)
{
	size_t	left, until = r->spent + effort;

	while (r->spent < until) {
		left = r->have - r->from;
		if (!r->over && fill(r, until - r->spent) == -1)
			return (-1);
		r->content += r->have - r->from - left;
		if (r->content > REWRITE_MAX)
			return (-1);
		r->from = rewrite_run(r->map, r->window, r->from, r->have,
		    r->over, o);
		if (r->over && r->from == r->have)
			return (0);
		if (o->cap - o->len < REWRITE_ROOM)
			break;
	}
	return (1);
}

int
pack_begin(struct pack *p)
{
	memset(&p->z, 0, sizeof(p->z));
	p->len = 0;
	return (deflateInit2(&p->z, PACK_LEVEL, Z_DEFLATED, GZIP_BITS, PACK_MEM,
	    Z_DEFAULT_STRATEGY) == Z_OK ? 0 : -1);
}

int
pack_add(struct pack *p, const char **in, size_t *len, int last)
{
	int	n;

	p->z.next_in = (z_const Bytef *)(uintptr_t)*in;
	p->z.avail_in = (uInt)*len;
	p->z.next_out = (Bytef *)p->out + p->len;
	p->z.avail_out = (uInt)(p->cap - p->len);
	n = deflate(&p->z, last ? Z_FINISH : Z_NO_FLUSH);
	*in += *len - p->z.avail_in;
	*len = p->z.avail_in;
	p->len = p->cap - p->z.avail_out;
	if (n == Z_STREAM_END)
		return (1);
	if (n != Z_OK && n != Z_BUF_ERROR)
		return (-1);
	return (!last && *len == 0);
}

void
pack_end(struct pack *p)
{
	(void)deflateEnd(&p->z);
}
