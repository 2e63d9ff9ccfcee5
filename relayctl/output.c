/* SPDX-License-Identifier: ISC */
/* Answers on paper: tables and JSON from the same rows. */
#include <cjson/cJSON.h>

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/compat.h"
#include "base/text.h"
#include "imsg/msg.h"
#include "output.h"
#include "rows.h"

#define GAP	2	/* blanks between columns */

struct rows *
rows_new(void)
{
	return (calloc(1, sizeof(struct rows)));
}

void
rows_free(struct rows *r)
{
	size_t	i, j;

	if (r == NULL)
		return;
	for (i = 0; i < r->n; i++) {
		for (j = 0; j < r->rows[i].n; j++)
			freezero(r->rows[i].cells[j],
			    strlen(r->rows[i].cells[j]));
		free(r->rows[i].cells);
		free(r->rows[i].below);
	}
	free(r->rows);
	free(r);
}

int
rows_add(struct rows *r, size_t n)
{
	struct row	*grown;

	/* Doubled at powers of two. */
	if ((r->n & (r->n - 1)) == 0) {
		grown = reallocarray(r->rows, r->n == 0 ? 1 : 2 * r->n,
		    sizeof(*grown));
		if (grown == NULL)
			return (-1);
		r->rows = grown;
	}
	memset(&r->rows[r->n], 0, sizeof(r->rows[r->n]));
	if ((r->rows[r->n].cells = calloc(n + 1, sizeof(char *))) == NULL)
		return (-1);
	r->rows[r->n++].want = n;
	return (0);
}

int
rows_cell(struct rows *r, const char *text)
{
	struct row	*row;

	if (r->n == 0)
		return (-1);
	row = &r->rows[r->n - 1];
	if (row->n == row->want || (row->cells[row->n] = strdup(text)) == NULL)
		return (-1);
	row->n++;
	return (0);
}

/* Bytes of the UTF-8 character at `s` and its number; 0 when it is broken. */
static size_t
utf8_char(const unsigned char *s, uint32_t *cp)
{
	static const uint32_t	least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t			len, i;

	if (s[0] < 0x80) {
		*cp = s[0];
		return (1);
	}
	len = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return (0);
	*cp = s[0] & (0xffU >> (len + 1));
	for (i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return (0);
		*cp = *cp << 6 | (s[i] & 0x3f);
	}
	if (*cp < least[len] || *cp > 0x10ffff ||
	    (*cp >= 0xd800 && *cp <= 0xdfff))
		return (0);
	return (len);
}

/* Would it move the cursor, hide, or turn what follows around? */
static int
harmful(uint32_t cp)
{
	return (cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0x61c ||
	    (cp >= 0x200b && cp <= 0x200f) || (cp >= 0x2028 && cp <= 0x202e) ||
	    (cp >= 0x2060 && cp <= 0x206f) || cp == 0xfeff ||
	    (cp >= 0xfff9 && cp <= 0xfffb) || cp >= 0xe0000);
}

/* Those that a terminal gives it; 1 where the locale does not know. */
static size_t
width_of(uint32_t cp)
{
	int	n = wcwidth((wchar_t)cp);

	return (n < 0 ? 1 : (size_t)n);
}

size_t
printable_text(char *dst, size_t size, const char *src)
{
	const unsigned char	*s = (const unsigned char *)src;
	size_t			 n = 0, columns = 0, len, i;
	uint32_t		 cp;

	while (*s != '\0' && n + 17 < size) {
		len = utf8_char(s, &cp);
		if (len > 0 && !harmful(cp)) {
			memcpy(dst + n, s, len);
			n += len;
			s += len;
			columns += width_of(cp);
			continue;
		}
		for (i = 0; i < (len == 0 ? 1 : len); i++, s++) {
			n += (size_t)snprintf(dst + n, size - n, "\\x%02x", *s);
			columns += 4;
		}
	}
	dst[n] = '\0';
	return (columns);
}

size_t
columns_of(const char *s)
{
	char	out[4 * CTL_CELL_SIZE + 32];

	return (printable_text(out, sizeof(out), s));
}

static void
print_cell(FILE *f, const char *text, size_t width, int is_last, int is_head)
{
	char	out[4 * CTL_CELL_SIZE + 32], *s;
	size_t	columns = printable_text(out, sizeof(out), text);

	for (s = out; is_head && *s != '\0'; s++)
		*s = (char)toupper((unsigned char)*s);
	fputs(out, f);
	if (!is_last)
		fprintf(f, "%*s", (int)(width - columns + GAP), "");
	explicit_bzero(out, sizeof(out));
}

size_t
rows_count(const struct rows *r)
{
	return (r->n);
}

const char *
rows_get(const struct rows *r, size_t row, const char *column)
{
	size_t	j;

	for (j = 0; j < r->rows[0].n && j < r->rows[row].n; j++)
		if (strcmp(r->rows[0].cells[j], column) == 0)
			return (r->rows[row].cells[j]);
	return (NULL);
}

const char *
rows_last(const struct rows *r)
{
	return (r->n > 1 && r->rows[r->n - 1].n > 0 ?
	    r->rows[r->n - 1].cells[0] : NULL);
}

/*
 * A text in lines from column `in` on, broken at blanks where there are some.
 */
static void
print_below(FILE *f, const char *text, size_t in, size_t width)
{
	char	out[4 * CTL_CELL_SIZE + 32], *s = out, *last;
	size_t	room = width > 2 * in ? width - in : in + GAP, n;

	(void)printable_text(out, sizeof(out), text);
	while (*s != '\0') {
		last = NULL;
		for (n = 0; n < room && s[n] != '\0'; n++)
			if (s[n] == ' ')
				last = s + n;
		if (s[n] == '\0' || last == NULL || last == s)
			last = s + n;
		/* Not in the middle of a character. */
		while ((*last & 0xc0) == 0x80)
			last++;
		fprintf(f, "%*s%.*s\n", (int)in, "", (int)(last - s), s);
		for (s = last; *s == ' '; s++)
			;
	}
}

void
rows_table(const struct rows *r, int head, FILE *f)
{
	static char	scratch[4 * CTL_CELL_SIZE + 32];
	size_t		width[CTL_CELLS_MAX] = { 0 }, columns, i, j;

	for (i = 0; i < r->n; i++) {
		for (j = 0; j < r->rows[i].n && j < CTL_CELLS_MAX; j++) {
			columns = printable_text(scratch, sizeof(scratch),
			    r->rows[i].cells[j]);
			if (columns > width[j])
				width[j] = columns;
		}
	}
	explicit_bzero(scratch, sizeof(scratch));
	for (i = head ? 0 : 1; i < r->n; i++) {
		for (j = 0; j < r->rows[i].n && j < CTL_CELLS_MAX; j++)
			print_cell(f, r->rows[i].cells[j], width[j],
			    j + 1 == r->rows[i].n, i == 0);
		fputc('\n', f);
		if (r->rows[i].below != NULL)
			print_below(f, r->rows[i].below, width[0] + GAP,
			    r->width);
	}
}

/* Bytes that are no UTF-8 cannot stand in JSON either. */
static int
json_member(cJSON *object, const char *name, const char *text)
{
	char		*out, *w;
	const char	*s;
	uint32_t	 cp;
	size_t		 len;
	int		 r;

	if ((out = malloc(4 * strlen(text) + 1)) == NULL)
		return (-1);
	for (s = text, w = out; *s != '\0'; s += len == 0 ? 1 : len) {
		len = utf8_char((const unsigned char *)s, &cp);
		if (len == 0)
			w += snprintf(w, 5, "\\x%02x", (unsigned char)*s);
		memcpy(w, s, len);
		w += len;
	}
	*w = '\0';
	r = cJSON_AddStringToObject(object, name, out) == NULL ? -1 : 0;
	freezero(out, strlen(out));
	return (r);
}

/*
 * What a column is, for programs: a number as it stands, or one of seconds or
 * bytes that is written for people. In all but the last few "-" is nothing.
 */
enum kind { WORD, NUMBER, SECONDS, BYTES, TEXT };
static const struct { const char *name; enum kind kind; } columns[] = {
	{ "instance", NUMBER }, { "pid", NUMBER }, { "restarts", NUMBER },
	{ "services", NUMBER }, { "streams", NUMBER }, { "sessions", NUMBER },
	{ "rtt_ms", NUMBER }, { "bytes", NUMBER }, { "bytes_in", NUMBER }, { "bytes_out", NUMBER },
	{ "credit_mib", NUMBER }, { "event", NUMBER }, { "count", NUMBER }, { "most", NUMBER },
	{ "value", NUMBER }, { "offences", NUMBER }, { "times", NUMBER },
	{ "proxyd", NUMBER }, { "uptime", SECONDS }, { "wait", SECONDS },
	{ "seq", NUMBER }, { "duration_ms", NUMBER },
	{ "keys", NUMBER }, { "rows", NUMBER }, { "from", NUMBER }, { "to", NUMBER },
	{ "memory", BYTES }, { "private", BYTES },
	{ "name", TEXT }, { "user", TEXT }, { "operator", TEXT },
	{ "label", TEXT }, { "token", TEXT },
	{ "secret", TEXT },
};

static enum kind
kind_of(const char *name)
{
	size_t	i;

	for (i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		if (strcmp(name, columns[i].name) == 0)
			return (columns[i].kind);
	return (WORD);
}

/* "12", "1.5"; "1d02h", "35m10s"; "2048K". 0, or -1: it is no such. */
static int
number_of(const char *text, enum kind kind, double *sum)
{
	static const char	units[] = "dhmsK";
	static const double	of[] = { 86400, 3600, 60, 1, 1024 };
	const char		*u;
	char			*end;
	double			 n;

	*sum = 0;
	do {
		if (!isdigit((unsigned char)*text))
			return (-1);
		n = strtod(text, &end);
		if (kind == NUMBER) {
			*sum = n;
			return (*end == '\0' ? 0 : -1);
		}
		if (*end == '\0' || (u = strchr(units, *end)) == NULL)
			return (-1);
		*sum += n * of[u - units];
		text = end + 1;
	} while (*text != '\0');
	return (0);
}

static int
json_cell(cJSON *object, const char *name, const char *text)
{
	enum kind	kind = kind_of(name);
	double		n;

	if (kind != TEXT && strcmp(text, "-") == 0)
		return (cJSON_AddNullToObject(object, name) == NULL ? -1 : 0);
	if (kind != TEXT && kind != WORD && number_of(text, kind, &n) == 0)
		return (cJSON_AddNumberToObject(object, name, n) == NULL ? -1 :
		    0);
	return (json_member(object, name, text));
}

static int
json_row(const struct row *head, const struct row *row, FILE *f)
{
	cJSON	*object;
	char	*text = NULL;
	size_t	 j;
	int	 r = -1;

	if ((object = cJSON_CreateObject()) == NULL)
		return (-1);
	for (j = 0; j < row->n && j < head->n; j++)
		if (json_cell(object, head->cells[j], row->cells[j]) == -1)
			goto out;
	if ((text = cJSON_PrintUnformatted(object)) == NULL)
		goto out;
	text_put_json(f, text);
	r = 0;
out:
	if (text != NULL)
		explicit_bzero(text, strlen(text));
	cJSON_free(text);
	cJSON_Delete(object);
	return (r);
}

int
refusal_json(unsigned code, const char *text, FILE *f)
{
	cJSON	*object = cJSON_CreateObject();
	char	*out = NULL;

	if (object != NULL && cJSON_AddNumberToObject(object, "code", code) !=
	    NULL && json_member(object, "error", text) == 0)
		out = cJSON_PrintUnformatted(object);
	cJSON_Delete(object);
	if (out == NULL)
		return (-1);
	text_put_json(f, out);
	fputc('\n', f);
	cJSON_free(out);
	return (0);
}

int
rows_json(const struct rows *r, unsigned long *before, FILE *f)
{
	size_t	i;

	for (i = 1; i < r->n; i++, ++*before) {
		fputs(*before == 0 ? "[\n" : ",\n", f);
		if (json_row(&r->rows[0], &r->rows[i], f) == -1)
			return (-1);
	}
	return (0);
}

void
rows_json_end(unsigned long before, FILE *f)
{
	fputs(before > 0 ? "\n]\n" : "[]\n", f);
}

int
rows_json_lines(const struct rows *r, FILE *f)
{
	size_t	i;

	for (i = 1; i < r->n; i++) {
		if (json_row(&r->rows[0], &r->rows[i], f) == -1)
			return (-1);
		fputc('\n', f);
	}
	return (0);
}
