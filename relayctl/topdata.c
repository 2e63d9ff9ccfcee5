/* SPDX-License-Identifier: ISC */
/* What `relayctl top` shows, from relayd's answers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "topdata.h"

/* Rows of `show metrics` that have the name, and the text in their labels. */
static const struct {
	const char	*name, *label;
	enum top_number	 number;
} metrics[] = {
	{ "relayd_sessions", "\"up\"", TOP_UP },
	{ "relayd_sessions", "\"down\"", TOP_DOWN },
	{ "relayd_tunnels", "", TOP_TUNNELS },
	{ "relayd_handshakes", "", TOP_HANDSHAKES },
	{ "relayd_terminals", "", TOP_TERMINALS },
	{ "relayd_tcp_connections", "", TOP_TCPS },
	{ "relayd_streams", "", TOP_STREAMS },
	{ "process_start_time_seconds", "", TOP_STARTED },
	{ "relayd_logins_total", "\"new\"", TOP_LOGINS },
	{ "relayd_logins_total", "\"continued\"", TOP_LOGINS },
	{ "relayd_logins_total", "\"refused\"", TOP_REFUSED },
	{ "relayd_stream_opens_total", "outcome=\"ok\"", TOP_OPENS },
	{ "relayd_requests_total", "", TOP_REQUESTS },
};

static struct top_role *
role_of(struct top *t, const char *labels)
{
	static const char	 key[] = "role=\"";
	const char		*s = strstr(labels, key);
	size_t			 len, i;

	if (s == NULL)
		return (NULL);
	s += sizeof(key) - 1;
	len = strcspn(s, "\"");
	for (i = 0; i < t->nroles; i++)
		if (strlen(t->roles[i].name) == len &&
		    strncmp(t->roles[i].name, s, len) == 0)
			return (&t->roles[i]);
	if (i == TOP_ROLES || len >= sizeof(t->roles[i].name))
		return (NULL);
	memcpy(t->roles[i].name, s, len);
	t->roles[i].name[len] = '\0';
	t->nroles++;
	return (&t->roles[i]);
}

static void
take(struct top *t, const char *name, const char *labels, double value)
{
	struct top_role	*r;
	size_t		 i;

	for (i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++)
		if (strcmp(metrics[i].name, name) == 0 &&
		    strstr(labels, metrics[i].label) != NULL)
			t->is[metrics[i].number] += value;
	if (strcmp(name, "relayd_up") != 0 && strncmp(name, "process_", 8) != 0)
		return;
	if ((r = role_of(t, labels)) == NULL)
		return;
	if (strcmp(name, "relayd_up") == 0)
		r->count = value;
	else if (strcmp(name, "process_cpu_seconds_total") == 0)
		r->cpu = value;
	else if (strcmp(name, "process_resident_memory_bytes") == 0)
		r->memory = value;
	else if (strcmp(name, "process_open_fds") == 0)
		r->fds = value;
}

/* Who counts may have begun anew. */
static double
per_second(double is, double was, double seconds)
{
	return (is > was && seconds > 0 ? (is - was) / seconds : 0);
}

void
top_metrics(struct top *t, const struct rows *r, uint64_t ms)
{
	double			 was[TOP_NUMBERS], cpu[TOP_ROLES], seconds;
	const char		*name, *labels, *value;
	size_t			 i;

	memcpy(was, t->is, sizeof(was));
	memset(t->is, 0, sizeof(t->is));
	for (i = 0; i < TOP_ROLES; i++)
		cpu[i] = t->roles[i].cpu;
	for (i = 1; i < rows_count(r); i++) {
		name = rows_get(r, i, "metric");
		labels = rows_get(r, i, "labels");
		value = rows_get(r, i, "value");
		if (name != NULL && labels != NULL && value != NULL)
			take(t, name, labels, strtod(value, NULL));
	}
	seconds = t->at_ms == 0 ? 0 : (double)(ms - t->at_ms) / 1000;
	for (i = 0; i < TOP_NUMBERS; i++)
		t->rate[i] = per_second(t->is[i], was[i], seconds);
	for (i = 0; i < t->nroles; i++)
		t->roles[i].share = 100 * per_second(t->roles[i].cpu, cpu[i],
		    seconds);
	t->at_ms = ms;
}

static double
cell_number(const struct rows *r, size_t row, const char *column)
{
	const char	*s = rows_get(r, row, column);

	return (s == NULL ? 0 : strtod(s, NULL));
}

void
top_tunnels(struct top *t, struct rows *r)
{
	size_t	i;

	rows_free(t->tunnels);
	t->tunnels = r;
	t->bytes_in = t->bytes_out = 0;
	for (i = 1; i < rows_count(r); i++) {
		t->bytes_in += cell_number(r, i, "rate_in");
		t->bytes_out += cell_number(r, i, "rate_out");
	}
}

void
top_streams(struct top *t, struct rows *r)
{
	rows_free(t->streams);
	t->streams = r;
}

const char *
top_sort_name(enum top_sort by)
{
	static const char *const	names[] = { "rate", "streams",
	    "system", "age" };

	return (names[by]);
}

/* A row and what it is ordered by: a number, the most first, then a text. */
struct place {
	size_t		 row;
	double		 number;
	const char	*text;
};

static int
place_cmp(const void *va, const void *vb)
{
	const struct place	*a = va, *b = vb;
	int			 d;

	if (a->number != b->number)
		return (a->number < b->number ? 1 : -1);
	if ((d = strcmp(a->text, b->text)) != 0)
		return (d);
	return (a->row < b->row ? -1 : a->row > b->row);
}

static const char *
cell_text(const struct rows *r, size_t row, const char *column)
{
	const char	*s = rows_get(r, row, column);

	return (s == NULL ? "-" : s);
}

/* The header and the first of these, of the columns that are wanted. */
static struct rows *
pick(const struct rows *from, const struct place *p, size_t n,
    const char *const *columns, size_t ncolumns)
{
	struct rows	*r = rows_new();
	size_t		 i, j;

	for (i = 0; r != NULL && i <= n; i++) {
		if (rows_add(r, ncolumns) == -1)
			goto bad;
		for (j = 0; j < ncolumns; j++)
			if (rows_cell(r, i == 0 ? columns[j] : cell_text(from,
			    p[i - 1].row, columns[j])) == -1)
				goto bad;
	}
	return (r);
bad:
	rows_free(r);
	return (NULL);
}

static void
place_tunnel(const struct rows *r, struct place *p, enum top_sort by)
{
	p->text = cell_text(r, p->row, "system");
	if (by == TOP_BY_RATE)
		p->number = cell_number(r, p->row, "rate_in") +
		    cell_number(r, p->row, "rate_out");
	else if (by == TOP_BY_STREAMS)
		p->number = cell_number(r, p->row, "streams");
	else if (by == TOP_BY_AGE)
		p->text = cell_text(r, p->row, "since");
}

static void
place_stream(const struct rows *r, struct place *p, enum top_sort by)
{
	(void)by;
	p->text = cell_text(r, p->row, "since");
}

static int
newest_first(const void *va, const void *vb)
{
	const struct place	*a = va, *b = vb;

	return (strcmp(b->text, a->text));
}

/* The first `most` rows of an answer in an order, of these columns. */
static struct rows *
first_of(const struct rows *from, enum top_sort by, size_t most,
    void (*place)(const struct rows *, struct place *, enum top_sort),
    int (*cmp)(const void *, const void *), const char *const *columns,
    size_t ncolumns)
{
	struct place	*p;
	struct rows	*r;
	size_t		 n = 0, i;

	if (from != NULL && rows_count(from) > 0)
		n = rows_count(from) - 1;
	if ((p = calloc(n + 1, sizeof(*p))) == NULL)
		return (NULL);
	for (i = 0; i < n; i++) {
		p[i].row = i + 1;
		place(from, &p[i], by);
	}
	qsort(p, n, sizeof(*p), cmp);
	r = pick(from, p, n < most ? n : most, columns, ncolumns);
	free(p);
	return (r);
}

struct rows *
top_tunnel_rows(const struct top *t, enum top_sort by, size_t most)
{
	static const char *const	columns[] = { "system", "session",
	    "node", "address", "streams", "rate_in", "rate_out", "since" };

	return (first_of(t->tunnels, by, most, place_tunnel, place_cmp,
	    columns, sizeof(columns) / sizeof(columns[0])));
}

struct rows *
top_stream_rows(const struct top *t, size_t most)
{
	static const char *const	columns[] = { "operator", "kind",
	    "service", "streams", "bytes_in", "bytes_out", "system", "session", "address", "since" };

	return (first_of(t->streams, TOP_BY_AGE, most, place_stream,
	    newest_first, columns, sizeof(columns) / sizeof(columns[0])));
}

struct rows *
top_role_rows(const struct top *t)
{
	static const char *const	head[] = { "role", "processes", "cpu",
	    "memory", "fds" };
	char				text[4][32];
	const char			*cells[5];
	struct rows			*r = rows_new();
	size_t				 i, j;

	for (i = 0; r != NULL && i <= t->nroles; i++) {
		if (i > 0 && t->roles[i - 1].count == 0)
			continue;
		for (j = 0; i == 0 && j < 5; j++)
			cells[j] = head[j];
		if (i > 0) {
			cells[0] = t->roles[i - 1].name;
			snprintf(text[0], 32, "%.0f", t->roles[i - 1].count);
			snprintf(text[1], 32, "%.1f%%", t->roles[i - 1].share);
			snprintf(text[2], 32, "%.0f", t->roles[i - 1].memory);
			snprintf(text[3], 32, "%.0f", t->roles[i - 1].fds);
			for (j = 1; j < 5; j++)
				cells[j] = text[j - 1];
		}
		if (rows_add(r, 5) == -1)
			break;
		for (j = 0; j < 5; j++)
			if (rows_cell(r, cells[j]) == -1)
				break;
	}
	return (r);
}
