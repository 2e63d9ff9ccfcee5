/* SPDX-License-Identifier: ISC */
#include <ctype.h>
#include <string.h>

#include "client.h"

#define NS_MAX		(UINT64_MAX / 2)	/* 292 years */

static const struct {
	const char	*name;
	uint64_t	 ns;
} units[] = {
	{ "ns", 1 },
	{ "us", 1000 },
	{ "ms", 1000000 },
	{ "s", UINT64_C(1000000000) },
	{ "m", UINT64_C(60000000000) },
	{ "h", UINT64_C(3600000000000) }
};

/* A number: its whole part, and its fraction in billionths. -1: none. */
static int
number_take(const char **sp, uint64_t *whole, uint64_t *frac)
{
	const char	*s = *sp, *start = s;
	uint64_t	 unit = 100000000;
	int		 digits = 0;

	*whole = *frac = 0;
	for (; isdigit((unsigned char)*s); s++, digits++) {
		if (*whole > NS_MAX / 10)
			return (-1);
		*whole = *whole * 10 + (uint64_t)(*s - '0');
	}
	if (*s == '.')
		for (s++; isdigit((unsigned char)*s); s++, digits++) {
			*frac += (uint64_t)(*s - '0') * unit;
			unit /= 10;
		}
	*sp = s;
	return (s == start || digits == 0 ? -1 : 0);
}

/* A unit, in nanoseconds; 0: none. */
static uint64_t
unit_take(const char **sp)
{
	size_t	i, len = strspn(*sp, "nsumh");

	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strlen(units[i].name) == len &&
		    strncmp(units[i].name, *sp, len) == 0) {
			*sp += len;
			return (units[i].ns);
		}
	return (0);
}

int
duration_parse(const char *s, uint64_t *ms)
{
	uint64_t	ns = 0, whole, frac, unit, part;

	if (*s == '\0')
		return (-1);
	if (strcmp(s, "0") == 0)
		s = "0s";
	while (*s != '\0') {
		if (number_take(&s, &whole, &frac) == -1 ||
		    (unit = unit_take(&s)) == 0 || whole > NS_MAX / unit)
			return (-1);
		part = whole * unit + (uint64_t)((double)frac / 1e9 *
		    (double)unit);
		if (part > NS_MAX - ns)
			return (-1);
		ns += part;
	}
	*ms = ns / 1000000;
	return (0);
}
