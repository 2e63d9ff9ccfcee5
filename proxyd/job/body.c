/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "base/compat.h"
#include "body.h"
#include "proxyd/door/buf.h"
#include "proxyd/door/conn.h"
#include "proxyd/refused.h"

#define BODIES_MAX	(4 << 20)	/* of all requests together */

static size_t	bodies;			/* bytes of all that come in */

void
body_begin(struct body *b, int chunked, uint64_t left)
{
	memset(b, 0, sizeof(*b));
	b->chunked = chunked;
	b->left = left;
}

int
body_is_here(const struct conn *c, const struct body *b)
{
	struct httphead_chunk	 chunk = b->chunk;

	if (!b->chunked)
		return (c->in->len >= b->left);
	return (httphead_chunk_scan(&chunk, c->in->data + c->in->off,
	    c->in->len) != -1 && chunk.done);
}

/* 0, or -1: answered. */
static int
body_add(struct conn *c, struct body *b, const char *p, size_t len, size_t most)
{
	char	*q;

	if (len > most - b->len) {
		refused(c, ALONE_BODY);
		answer_error(c, 413, "request body too large");
		return (-1);
	}
	if (len > BODIES_MAX - bodies) {
		refused(c, ALONE_BUSY);
		answer_later(c, 503, "too many requests under way", 1);
		return (-1);
	}
	if ((q = recallocarray(b->text, b->len, b->len + len, 1)) == NULL) {
		answer_later(c, 503, "service temporarily unavailable", 1);
		return (-1);
	}
	b->text = q;
	memcpy(q + b->len, p, len);
	b->len += len;
	bodies += len;
	return (0);
}

/* One piece of what is there: 1 taken, 0 the body is whole, -1: answered. */
static int
body_step(struct conn *c, struct body *b, size_t most)
{
	struct buf	*in = c->in;
	struct slice	 data;
	ssize_t		 n;

	if (!b->chunked) {
		data.s = in->data + in->off;
		data.len = in->len < b->left ? in->len : (size_t)b->left;
		n = (ssize_t)data.len;
		b->left -= data.len;
	} else if ((n = httphead_chunk_next(&b->chunk, in->data + in->off,
	    in->len, &data)) == -1) {
		refused(c, ALONE_BODY);
		answer_error(c, 400, "malformed request body");
		return (-1);
	}
	if (data.len > 0 && body_add(c, b, data.s, data.len, most) == -1)
		return (-1);
	buf_secret(in, (size_t)n);	/* a system's secret, maybe */
	buf_drop(in, (size_t)n);
	return (n > 0);
}

static int
body_is_whole(const struct body *b)
{
	return (b->chunked ? b->chunk.done : b->left == 0);
}

int
body_read(struct conn *c, struct body *b, size_t most)
{
	int	r = 1;

	while (c->in != NULL && c->in->len > 0 && r == 1 && !body_is_whole(b))
		r = body_step(c, b, most);
	if (r == -1)
		return (-1);
	if (c->in != NULL && c->in->len == 0)
		buf_put(&c->in);
	if (!body_is_whole(b) && c->eof) {
		refused(c, ALONE_BODY);
		answer_error(c, 400, BODY_SHORT);
		return (-1);
	}
	if (!body_is_whole(b))
		return (0);
	c->body_left = 0;
	return (1);
}

void
body_clear(struct body *b)
{
	bodies -= b->len;
	freezero(b->text, b->len);
	b->text = NULL;
	b->len = 0;
}
