/* SPDX-License-Identifier: ISC */
/* What `relayctl top` knows, in lines. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "topdraw.h"

#define LINE_SIZE	512
#define ITEM_GAP	3

/* Lines that are made of items, as many in one as there is room for. */
struct flow {
	const struct top_view	*view;
	top_line_fn		 out;
	char			 line[LINE_SIZE];
	size_t			 lines;
};

static void
flow_end(struct flow *f)
{
	if (f->line[0] == '\0')
		return;
	if (f->view->lines == 0 || f->lines < f->view->lines)
		f->out(TOP_PLAIN, f->line);
	f->lines++;
	f->line[0] = '\0';
}

static void	item(struct flow *, const char *, ...)
		    __attribute__((format(printf, 2, 3)));

static void
item(struct flow *f, const char *fmt, ...)
{
	char		text[200];
	size_t		most = f->view->columns;
	va_list		ap;

	if (most == 0 || most >= LINE_SIZE)
		most = LINE_SIZE - 1;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (f->line[0] != '\0' && strlen(f->line) + ITEM_GAP + strlen(text) >
	    most)
		flow_end(f);
	if (f->line[0] != '\0')
		strlcat(f->line, "   ", sizeof(f->line));
	strlcat(f->line, text, most + 1);
}

static void
head(struct flow *f, const struct top *t, int64_t now)
{
	char	up[32], in[32], out[32];

	human_age(up, sizeof(up), now - (int64_t)t->is[TOP_STARTED]);
	human_bytes(in, sizeof(in), (uint64_t)t->bytes_in);
	human_bytes(out, sizeof(out), (uint64_t)t->bytes_out);
	item(f, "relayd up %s", up);
	item(f, "every %us", f->view->seconds);
	item(f, "sorted by %s", top_sort_name(f->view->sort));
	if (f->view->stopped)
		item(f, "STOPPED");
	flow_end(f);
	item(f, "sessions %.0f", t->is[TOP_UP] + t->is[TOP_DOWN]);
	item(f, "tunnels %.0f", t->is[TOP_TUNNELS]);
	item(f, "logging in %.0f", t->is[TOP_HANDSHAKES]);
	item(f, "streams %.0f", t->is[TOP_STREAMS]);
	item(f, "terminals %.0f", t->is[TOP_TERMINALS]);
	item(f, "tcp %.0f", t->is[TOP_TCPS]);
	flow_end(f);
	item(f, "in %s/s", in);
	item(f, "out %s/s", out);
	item(f, "streams %.1f/s", t->rate[TOP_OPENS]);
	item(f, "requests %.1f/s", t->rate[TOP_REQUESTS]);
	item(f, "logins %.1f/s", t->rate[TOP_LOGINS]);
	item(f, "refused %.1f/s", t->rate[TOP_REFUSED]);
	flow_end(f);
	if (f->view->note[0] != '\0')
		item(f, "%s", f->view->note);
	flow_end(f);
}

/* A table of at most so many lines; frees the rows. How many, or -1. */
static int
table(struct rows *r, const struct top_view *v, size_t most, int64_t now,
    top_line_fn out)
{
	char	*text = NULL, *line, *next;
	size_t	 size, n = 0;
	FILE	*f;

	if (r == NULL || (f = open_memstream(&text, &size)) == NULL) {
		rows_free(r);
		return (-1);
	}
	rows_fit(r, v->columns == 0 ? SIZE_MAX : v->columns, 0, now);
	rows_table(r, 1, f);
	rows_free(r);
	if (fclose(f) == EOF) {
		free(text);
		return (-1);
	}
	for (line = text; n < most && (next = strchr(line, '\n')) != NULL;
	    line = next + 1) {
		*next = '\0';
		out(n++ == 0 ? TOP_HEAD : TOP_PLAIN, line);
	}
	free(text);
	return ((int)n);
}

static size_t
rows_of(const struct rows *r)
{
	return (r == NULL ? 1 : rows_count(r) > 0 ? rows_count(r) : 1);
}

static size_t
least(size_t a, size_t b)
{
	return (a < b ? a : b);
}

/*
 * From the top: the head, processes, tunnels, streams. On a small screen the
 * processes go first; the tunnels and the streams have half of the rest each,
 * and what the other does not need.
 */
int
top_draw(const struct top *t, const struct top_view *v, int64_t now,
    top_line_fn out)
{
	struct flow	 f = { .view = v, .out = out };
	struct rows	*roles = top_role_rows(t);
	size_t		 left, tunnels = rows_of(t->tunnels);
	size_t		 streams = rows_of(t->streams), n;

	head(&f, t, now);
	if (roles == NULL)
		return (-1);
	left = v->lines == 0 ? SIZE_MAX : v->lines > f.lines ? v->lines -
	    f.lines : 0;
	n = rows_count(roles);
	if (v->lines != 0 && left < n + least(tunnels, 4) + least(streams, 4)) {
		rows_free(roles);
	} else {
		if (table(roles, v, n, now, out) == -1)
			return (-1);
		left -= n;
	}
	if (tunnels > left || streams > left - tunnels) {
		n = left / 2;
		if (streams < left - n)
			n = left - streams;
		tunnels = least(tunnels, n);
		streams = least(streams, left - tunnels);
	}
	if (tunnels > 0 && table(top_tunnel_rows(t, v->sort, tunnels - 1), v,
	    tunnels, now, out) == -1)
		return (-1);
	if (streams > 0 && table(top_stream_rows(t, streams - 1), v, streams,
	    now, out) == -1)
		return (-1);
	return (0);
}
