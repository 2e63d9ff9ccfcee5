/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "flow.h"

void
flow_begin(struct flow *f, const struct httphead *h)
{
	memset(f, 0, sizeof(*f));
	if (h->flags & HTTPHEAD_CHUNKED)
		f->kind = FLOW_CHUNKED;
	else if ((h->flags & HTTPHEAD_LENGTH) && h->content_length > 0) {
		f->kind = FLOW_LENGTH;
		f->left = h->content_length;
	} else if (h->flags & HTTPHEAD_TO_CLOSE)
		f->kind = FLOW_TO_CLOSE;
	else
		f->done = 1;
}

void
flow_open(struct flow *f)
{
	memset(f, 0, sizeof(*f));
	f->kind = FLOW_TO_CLOSE;
}

/* Of `n` more bytes of chunks behind those that were loose. */
static size_t
may_go(const struct flow *f, size_t n, size_t loose)
{
	return (f->raw ? n + loose - (size_t)f->chunk.loose : n);
}

int
flow_feed(struct flow *f, const char *p, size_t len)
{
	size_t	loose = (size_t)f->chunk.loose;
	ssize_t	n;

	if (f->done || len == 0)
		return (0);
	switch (f->kind) {
	case FLOW_NONE:
		return (0);
	case FLOW_LENGTH:
		if (len > f->left)
			len = (size_t)f->left;
		f->left -= len;
		f->done = f->left == 0;
		break;
	case FLOW_CHUNKED:
		if ((n = httphead_chunk_scan(&f->chunk, p, len)) == -1)
			return (-1);
		len = may_go(f, (size_t)n, loose);
		f->done = f->chunk.done;
		break;
	case FLOW_TO_CLOSE:
		break;
	}
	f->ready += len;
	return (0);
}

int
flow_feed_bare(struct flow *f, char *p, size_t *len)
{
	size_t	loose = (size_t)f->chunk.loose;
	ssize_t	n;

	if (f->kind != FLOW_CHUNKED || f->done || *len == 0)
		return (flow_feed(f, p, *len));
	if ((n = httphead_chunk_bare(&f->chunk, p, len)) == -1)
		return (-1);
	f->done = f->chunk.done;
	f->ready += may_go(f, (size_t)n, loose);
	return (0);
}

int
flow_ended(struct flow *f)
{
	if (f->kind == FLOW_CHUNKED)
		f->done = httphead_chunk_ended(&f->chunk);
	return (f->done);
}
