/* SPDX-License-Identifier: ISC */
/*
 * A message of a device that pairs. What is JSON stays that with blanks around
 * it, and a member is JSON by itself, of the same kind.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "paird/json.h"

static void
member(const struct json_value *v)
{
	struct json_value	whole = { JSON_ABSENT, NULL, 0 };
	char			text[64];
	size_t			units;
	long			n;

	if (v->kind == JSON_ABSENT)
		return;
	if (json_read(v->s, v->len, &whole, NULL, 0) == -1 ||
	    whole.kind != v->kind || whole.len != v->len)
		abort();
	n = json_string(v, text, sizeof(text), &units);
	if ((n >= 0 && v->kind != JSON_STRING) || n > (long)sizeof(text) ||
	    (n >= 0 && units > (size_t)n))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct json_member	m[] = { { .name = "type" },
	    { .name = "payload" }, { .name = "otc" } };
	struct json_value	whole = { JSON_ABSENT, NULL, 0 }, again;
	char			*wide;
	size_t			i;
	int			r, s;

	r = json_read((const char *)data, len, &whole, m, 3);
	if ((wide = malloc(len + 2)) == NULL)
		return (0);
	wide[0] = ' ';
	memcpy(wide + 1, data, len);
	wide[len + 1] = '\n';
	s = json_read(wide, len + 2, &again, NULL, 0);
	free(wide);
	if (r != s || (r == 0 && (again.kind != whole.kind ||
	    again.len != whole.len)))
		abort();
	for (i = 0; r == 0 && i < 3; i++)
		member(&m[i].value);
	return (0);
}
