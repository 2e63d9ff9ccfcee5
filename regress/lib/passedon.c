/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "passedon.h"
#include "proxyd/http/flow.h"
#include "proxyd/http/stage.h"

static void
put(struct passedon *o, const char *p, size_t len)
{
	if (len > 0)
		memcpy(o->out + o->len, p, len);
	o->len += len;
}

/* What of the buffer is ready; how many bytes were used. */
static size_t
pump(struct passedon *o, struct flow *f, struct stages *s, char *buf)
{
	struct piece	b;
	ssize_t		n;
	size_t		at = 0;

	if (s->n == 0) {
		put(o, buf, f->ready);
		at = f->ready;
		flow_sent(f, at);
		if (!flow_is_odd(f))
			return (at);
		stages_anew(s, f, 0);
	}
	while (f->ready > 0 || (f->done && !s->over)) {
		b.p = buf + at;
		b.len = f->ready;
		b.last = f->done;
		if ((n = stages_run(s, &b)) == -1)
			abort();		/* flow.h has let it through */
		put(o, b.p, b.len);
		flow_sent(f, (size_t)n);
		at += (size_t)n;
	}
	return (at);
}

int
passedon(struct passedon *o, const char *body, size_t len, size_t step,
    int ends)
{
	struct httphead	 h;
	struct flow	 f;
	struct stages	 s;
	char		*buf;
	size_t		 n, used, left, have = 0, off = 0;
	int		 r = 0;

	memset(&h, 0, sizeof(h));
	h.flags = HTTPHEAD_CHUNKED;
	flow_begin(&f, &h);
	stages_begin(&s, &h, 0);
	f.chunk.lenient = 1;
	f.raw = s.n == 0;
	o->len = 0;
	if ((buf = malloc(len + 1)) == NULL)
		abort();
	for (; r == 0 && off < len && !f.done; off += n) {
		n = len - off < step ? len - off : step;
		memcpy(buf + have, body + off, n);
		left = n;
		if ((r = flow_feed_bare(&f, buf + have, &left)) == -1)
			break;
		have += left;
		used = pump(o, &f, &s, buf);
		memmove(buf, buf + used, have - used);
		have -= used;
	}
	if (r == 0 && ends && !f.done && flow_ended(&f))
		(void)pump(o, &f, &s, buf);
	free(buf);
	o->done = f.done;
	o->odd = f.chunk.odd;
	return (r);
}

int
passedon_is_strict(const char *p, size_t len)
{
	struct httphead_chunk	c;
	ssize_t			n;

	memset(&c, 0, sizeof(c));
	n = httphead_chunk_scan(&c, p, len);
	return (n != (ssize_t)len || c.odd ? -1 : c.done);
}
