/* SPDX-License-Identifier: ISC */
/*
 * What goes to a PostgreSQL server. The first byte says which: a statement,
 * which is put into its words and fits where it is to go, with what is quoted
 * as it was; or a value, which becomes a text that the server takes, as long as
 * it was.
 */

#include "authd/store/pg/dialect.h"
#include "authd/store/pg/param.h"
#include "base/compat.h"
#include "fuzz.h"
#include "ws/ws.h"

#define DST	256

/* The same quotes in the same order. */
static void
same_quotes(const char *a, const char *b)
{
	for (;;) {
		a = strchr(a, '\'');
		b = strchr(b, '\'');
		if (a == NULL || b == NULL) {
			if (a != b)
				abort();
			return;
		}
		for (a++, b++; *a != '\'' && *a != '\0'; a++, b++)
			if (*a != *b)
				abort();
		if (*a != *b)
			abort();
		if (*a == '\0')
			return;
		a++;
		b++;
	}
}

static void
statement(const char *sql)
{
	char	dst[DST + 1], small[24];
	int	quoted = 0;
	char	*s;

	dst[DST] = 'x';
	(void)dialect_pg(sql, small, sizeof(small));
	if (dialect_pg(sql, dst, DST) == -1)
		return;
	if (dst[DST] != 'x' || strlen(dst) >= DST)
		abort();
	for (s = dst; *s != '\0'; s++) {
		if (*s == '\'')
			quoted = !quoted;
		if (!quoted && *s == '?')
			abort();
	}
	same_quotes(sql, dst);
}

static void
value(const char *text, const uint8_t *data, size_t len)
{
	struct params	*p = params_of("TtUjbin", text, text, text,
			    (const char *)data, len, data, len, (int64_t)-1,
			    7);
	int		 i;

	if (p == NULL || p->n != 7)
		abort();
	for (i = 0; i < 4; i++) {
		if (p->value[i] == NULL) {
			if (i != 1 || text[0] != '\0')
				abort();
			continue;
		}
		if (strlen(p->value[i]) != (size_t)p->length[i] ||
		    !ws_utf8((const uint8_t *)p->value[i],
		    (size_t)p->length[i]))
			abort();
	}
	if (p->length[3] != (int)len || p->length[4] != (int)len ||
	    memcmp(p->value[4], data, len) != 0 || p->format[4] != 1 ||
	    strcmp(p->value[5], "-1") != 0 || strcmp(p->value[6], "7") != 0)
		abort();
	params_free(p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char	text[1024];

	if (len == 0)
		return (0);
	if (len > sizeof(text))
		len = sizeof(text);
	memcpy(text, data + 1, len - 1);
	text[len - 1] = '\0';
	if (data[0] & 1)
		statement(text);
	else
		value(text, data + 1, len - 1);
	return (0);
}
