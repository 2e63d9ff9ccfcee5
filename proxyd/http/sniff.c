/* SPDX-License-Identifier: ISC */
#include <string.h>
#include <strings.h>

#include "http/head.h"
#include "sniff.h"

/* Each but the last has a blank or `>` behind it. */
static const char *const	begins[] = { "<!doctype html", "<html", "<head",
    "<script", "<iframe", "<h1", "<div", "<font", "<table", "<a", "<style",
    "<title", "<b", "<body", "<br", "<p", "<!--" };
#define NBEGINS			(sizeof(begins) / sizeof(begins[0]))
#define CHUNKED_MAX		(8 * SNIFF_MAX)	/* with what chunks add */

int
sniff_page(const char *body, size_t len, int whole)
{
	size_t	at = 0, i, n;
	int	more = 0;

	if (len >= SNIFF_MAX) {
		len = SNIFF_MAX;
		whole = 1;
	}
	while (at < len && memchr("\t\n\f\r ", body[at], 5) != NULL)
		at++;
	for (i = 0; i < NBEGINS; i++) {
		n = strlen(begins[i]);
		if (len - at < n) {
			more |= strncasecmp(body + at, begins[i], len - at) == 0;
			continue;
		}
		if (strncasecmp(body + at, begins[i], n) != 0)
			continue;
		if (i == NBEGINS - 1)
			return (1);
		if (len - at == n)
			more = 1;
		else if (body[at + n] == ' ' || body[at + n] == '>')
			return (1);
	}
	return (more && !whole ? -1 : 0);
}

int
sniff_chunked(const char *body, size_t len, int whole)
{
	struct httphead_chunk	chunk = { .lenient = 1 };
	struct slice		data;
	char			text[SNIFF_MAX];
	size_t			at, n = 0;
	ssize_t			r;

	/* What comes a byte at a time would be gone through as often. */
	if (len > CHUNKED_MAX) {
		len = CHUNKED_MAX;
		whole = 1;
	}
	for (at = 0; at < len && n < sizeof(text) && !chunk.done;
	    at += (size_t)r) {
		r = httphead_chunk_next(&chunk, body + at, len - at, &data);
		if (r <= 0)
			break;
		if (data.len > sizeof(text) - n)
			data.len = sizeof(text) - n;
		memcpy(text + n, data.s, data.len);
		n += data.len;
	}
	return (sniff_page(text, n, whole || chunk.done));
}
