/* SPDX-License-Identifier: ISC */
/*
 * A table for a screen: sizes and ages as people read them, names before ids,
 * ids as short as they stay unique, and no more columns than there is room for.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/compat.h"
#include "output.h"
#include "rows.h"

#define GAP		2	/* as rows_table() has it */
#define ID_SHORT	8	/* of an id, at least */
#define TEXT_SHORT	8	/* of a text that is cut, at least */
#define SPARE_FIRST	9	/* goes before a reason leaves its column */

/* REASON is a text that may stand below its row. */
enum form { PLAIN, TEXT, REASON, ID, TIME, CLOCK, BYTES };

/*
 * In the order of the screen. Where there is no room the highest `spare` goes
 * first; 0 stays, and is cut if it is a text.
 */
static const struct column {
	const char	*name;
	enum form	 form;
	int		 spare;
} columns[] = {
	{ "event", PLAIN, 5 }, { "time", CLOCK, 0 }, { "role", PLAIN, 0 },
	{ "name", TEXT, 0 }, { "user", TEXT, 0 }, { "operator", TEXT, 0 },
	{ "kind", PLAIN, 0 }, { "service", TEXT, 0 }, { "action", PLAIN, 0 },
	{ "outcome", PLAIN, 0 }, { "actor", TEXT, 0 },
	{ "system", TEXT, 0 }, { "session", ID, 0 }, { "id", PLAIN, 0 },
	{ "status", PLAIN, 0 }, { "tunnel", PLAIN, 0 }, { "state", PLAIN, 0 },
	{ "node", PLAIN, 6 }, { "type", PLAIN, 0 }, { "address", PLAIN, 4 },
	{ "issuer", TEXT, 0 }, { "keys", PLAIN, 0 },
	{ "target", TEXT, 0 }, { "host", TEXT, 5 }, { "tls", PLAIN, 1 },
	{ "tcp", PLAIN, 0 }, { "label", TEXT, 4 },
	{ "organization", ID, 7 }, { "parent", ID, 3 },
	{ "enabled", PLAIN, 0 }, { "services", PLAIN, 3 },
	{ "streams", PLAIN, 2 }, { "sessions", PLAIN, 2 },
	{ "rate_in", BYTES, 0 }, { "rate_out", BYTES, 0 },
	{ "processes", PLAIN, 0 }, { "cpu", PLAIN, 0 },
	{ "recording", PLAIN, 0 }, { "bytes", BYTES, 1 },
	{ "rtt_ms", PLAIN, 5 }, { "bytes_in", BYTES, 3 },
	{ "bytes_out", BYTES, 3 }, { "credit_mib", PLAIN, 8 },
	{ "permissions", TEXT, 6 }, { "instance", PLAIN, 7 },
	{ "pid", PLAIN, 0 }, { "uptime", PLAIN, 0 }, { "memory", BYTES, 1 },
	{ "private", BYTES, 5 }, { "fds", PLAIN, 1 }, { "restarts", PLAIN, 4 },
	{ "started", TIME, 1 }, { "created", TIME, 1 },
	{ "ended", TIME, 2 }, { "since", TIME, 1 },
	{ "expires", TIME, 4 }, { "revoked", TIME, 0 }, { "key", PLAIN, 9 },
	{ "sandbox", PLAIN, 10 }, { "sha256", PLAIN, 11 },
	{ "wait", PLAIN, 0 }, { "offences", PLAIN, 0 }, { "times", PLAIN, 2 },
	{ "cause", PLAIN, 1 }, { "proxyd", PLAIN, 3 },
	{ "count", PLAIN, 7 }, { "most", PLAIN, 0 }, { "reason", REASON, 0 }, { "object", TEXT, 8 },
	{ "duration_ms", PLAIN, 9 }, { "impersonator", TEXT, 10 },
	{ "token_id", TEXT, 11 }, { "access", ID, 12 }, { "request", PLAIN, 12 },
	{ "chain", PLAIN, 13 }, { "seq", PLAIN, 13 }, { "prev", PLAIN, 14 },
	{ "hash", PLAIN, 14 }, { "metric", PLAIN, 0 }, { "labels", PLAIN, 0 },
	{ "text", PLAIN, 0 },
};
#define NCOLUMNS	(sizeof(columns) / sizeof(columns[0]))

/* What is not in the list keeps its place behind the others. */
static const struct column	unknown = { "", TEXT, 0 };

/* A new text for a cell; out of memory leaves the old one. */
static void
cell_set(char **cell, const char *text)
{
	char	*copy = strdup(text);

	if (copy == NULL)
		return;
	free(*cell);
	*cell = copy;
}

void
human_age(char *dst, size_t size, int64_t seconds)
{
	uint64_t	n = (uint64_t)(seconds < 0 ? -seconds : seconds);

	snprintf(dst, size, "%s%llu%s", seconds < 0 ? "in " : "",
	    (unsigned long long)(n < 100 ? n : n < 6000 ? n / 60 :
	    n < 48 * 3600 ? n / 3600 : n / 86400), n < 100 ? "s" :
	    n < 6000 ? "m" : n < 48 * 3600 ? "h" : "d");
}

void
human_bytes(char *dst, size_t size, uint64_t n)
{
	static const char	units[] = "BKMGTPE";
	double			v = (double)n;
	size_t			u = 0;

	for (; v >= 1023.95 && u + 2 < sizeof(units); u++)
		v /= 1024;
	snprintf(dst, size, u == 0 ? "%.0f%c" : "%.1f%c", v, units[u]);
}

static void
cell_time(char **cell, int64_t now)
{
	struct tm	tm = { 0 };
	char		text[40];

	if (sscanf(*cell, "%4d-%2d-%2dT%2d:%2d:%2d", &tm.tm_year, &tm.tm_mon,
	    &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec) != 6)
		return;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	human_age(text, sizeof(text), now - (int64_t)timegm(&tm));
	cell_set(cell, text);
}

/* "2026-11-28T00:51:44.090Z" without the year and below the second. */
static void
cell_clock(char **cell)
{
	char	text[16];

	if (strlen(*cell) < 20 || (*cell)[10] != 'T')
		return;
	snprintf(text, sizeof(text), "%.5s %.8s", *cell + 5, *cell + 11);
	cell_set(cell, text);
}

/* "12345", or "2048K". */
static void
cell_bytes(char **cell)
{
	char		 text[32], *end;
	uint64_t	 n = strtoull(*cell, &end, 10);

	if (end == *cell || (*end != '\0' && strcmp(end, "K") != 0))
		return;
	human_bytes(text, sizeof(text), *end == 'K' ? n * 1024 : n);
	cell_set(cell, text);
}

static const struct column *
column_of(const char *name)
{
	size_t	i;

	for (i = 0; i < NCOLUMNS; i++)
		if (strcmp(columns[i].name, name) == 0)
			return (&columns[i]);
	return (&unknown);
}

static int
is_hex_id(const char *s)
{
	return (strlen(s) == 36 && strspn(s, "0123456789abcdef-") == 36);
}

/* How much of the ids in a column tells them apart. */
static size_t
id_length(const struct rows *r, size_t at)
{
	size_t	len = ID_SHORT, i, k, same;

	for (i = 1; i < r->n; i++)
		for (k = 1; k < i; k++) {
			if (!is_hex_id(r->rows[i].cells[at]) || strcmp(
			    r->rows[i].cells[at], r->rows[k].cells[at]) == 0)
				continue;
			for (same = 0; r->rows[i].cells[at][same] ==
			    r->rows[k].cells[at][same]; same++)
				;
			if (same + 1 > len)
				len = same + 1;
		}
	return (len);
}

static void
humanize(struct rows *r, size_t at, const struct column *c, int64_t now)
{
	size_t	i, len = c->form == ID ? id_length(r, at) : 0;

	for (i = 1; i < r->n; i++) {
		if (c->form == TIME)
			cell_time(&r->rows[i].cells[at], now);
		else if (c->form == CLOCK)
			cell_clock(&r->rows[i].cells[at]);
		else if (c->form == BYTES)
			cell_bytes(&r->rows[i].cells[at]);
		else if (c->form == ID && is_hex_id(r->rows[i].cells[at]))
			r->rows[i].cells[at][len] = '\0';
	}
}

static void
column_move(struct rows *r, size_t from, size_t to)
{
	size_t	 i;
	char	*cell;

	for (i = 0; i < r->n; i++) {
		cell = r->rows[i].cells[from];
		memmove(&r->rows[i].cells[to + 1], &r->rows[i].cells[to],
		    (from - to) * sizeof(cell));
		r->rows[i].cells[to] = cell;
	}
}

static void
column_drop(struct rows *r, size_t at)
{
	struct row	*row;
	size_t		 i;

	for (i = 0; i < r->n; i++) {
		row = &r->rows[i];
		freezero(row->cells[at], strlen(row->cells[at]));
		row->n--;
		memmove(&row->cells[at], &row->cells[at + 1],
		    (row->n - at) * sizeof(*row->cells));
		row->cells[row->n] = NULL;
	}
}

static size_t
column_width(const struct rows *r, size_t at)
{
	size_t	i, n, width = 0;

	for (i = 0; i < r->n; i++) {
		n = columns_of(r->rows[i].cells[at]);
		if (n > width)
			width = n;
	}
	return (width);
}

static size_t
table_width(const struct rows *r)
{
	size_t	j, width = 0;

	for (j = 0; j < r->rows[0].n; j++)
		width += column_width(r, j) + (j == 0 ? 0 : GAP);
	return (width);
}

/* Does a column say nothing in any row? */
static int
column_empty(const struct rows *r, size_t at)
{
	size_t	i;

	for (i = 1; i < r->n; i++)
		if (strcmp(r->rows[i].cells[at], "-") != 0)
			return (0);
	return (r->n > 1);
}

/* The column that can be spared best, of `least` at least; or n. */
static size_t
spare(const struct rows *r, int least)
{
	size_t	j, n = r->rows[0].n, best = n;
	int	c, most = least - 1;

	for (j = 0; j < n; j++) {
		c = column_of(r->rows[0].cells[j])->spare;
		if (c > 0 && column_empty(r, j))
			c += 100;
		if (c > most) {
			most = c;
			best = j;
		}
	}
	return (best);
}

/* Reasons leave the table for lines of their own. */
static void
reasons_below(struct rows *r, size_t width)
{
	size_t	i, j;

	for (j = 0; j < r->rows[0].n; j++)
		if (column_of(r->rows[0].cells[j])->form == REASON)
			break;
	if (j == r->rows[0].n)
		return;
	r->width = width;
	for (i = 1; i < r->n; i++)
		if (strcmp(r->rows[i].cells[j], "-") != 0)
			r->rows[i].below = strdup(r->rows[i].cells[j]);
	column_drop(r, j);
}

/* Cut the texts of the widest column by what is too much. 0: none is left. */
static int
cut(struct rows *r, size_t over)
{
	size_t	 i, j, w, widest = 0, at = 0, len;
	char	*s;

	for (j = 0; j < r->rows[0].n; j++)
		if (column_of(r->rows[0].cells[j])->form == TEXT &&
		    (w = column_width(r, j)) > widest) {
			widest = w;
			at = j;
		}
	if (widest <= TEXT_SHORT)
		return (0);
	w = widest > over + TEXT_SHORT ? widest - over : TEXT_SHORT;
	for (i = 1; i < r->n; i++) {
		s = r->rows[i].cells[at];
		/*
		 * Half a character would count as an escape, so none is left.
		 */
		for (len = strlen(s); len > 0 && columns_of(s) > w; len--)
			s[len - 1] = '\0';
	}
	return (1);
}

void
rows_fit(struct rows *r, size_t width, int exact, int64_t now)
{
	size_t	i, j, n, to = 0, w;

	if (r->n == 0)
		return;
	n = r->rows[0].n;
	for (i = 0; i < r->n; i++)
		if (r->rows[i].n != n)
			return;
	/* What is shown this once is shown whole. */
	for (j = 0; j < n; j++)
		if (strcmp(r->rows[0].cells[j], "secret") == 0 ||
		    strcmp(r->rows[0].cells[j], "token") == 0 ||
		    strcmp(r->rows[0].cells[j], "head") == 0)
			return;
	for (i = 0; i < NCOLUMNS; i++)
		for (j = to; j < n; j++)
			if (strcmp(r->rows[0].cells[j], columns[i].name) == 0) {
				column_move(r, j, to++);
				break;
			}
	if (exact)
		return;
	for (j = 0; j < n; j++)
		humanize(r, j, column_of(r->rows[0].cells[j]), now);
	while (table_width(r) > width &&
	    (j = spare(r, SPARE_FIRST)) < r->rows[0].n)
		column_drop(r, j);
	if (table_width(r) > width)
		reasons_below(r, width);
	while (table_width(r) > width && (j = spare(r, 1)) < r->rows[0].n)
		column_drop(r, j);
	while ((w = table_width(r)) > width && cut(r, w - width))
		;
}
