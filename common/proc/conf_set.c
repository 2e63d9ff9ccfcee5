/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "base/compat.h"
#include "conf.h"

/* What the parser needs to know of a number, from the list. */
static const struct setting {
	const char	*member, *keyword;
	enum conf_unit	 unit;
	size_t		 offset;
	uint64_t	 min, max;
} settings[] = {
#define X(member, def, min, max, unit, roles, keyword)			\
	{ #member, keyword, unit, offsetof(struct conf, member), min, max },
	CONF_NUMBERS(X)
#undef X
};

/* As one would write it: in the largest unit of which it is a whole number. */
static const char *
as_written(char dst[32], enum conf_unit unit, uint64_t n)
{
	static const struct written {
		uint64_t	 factor;
		const char	*name;
	} seconds[] = { { 86400, "d" }, { 3600, "h" }, { 60, "m" },
	    { 1, "s" } }, bytes[] = { { 1ULL << 40, "T" }, { 1 << 30, "G" },
	    { 1 << 20, "M" }, { 1 << 10, "K" }, { 1, "" } }, none[] = {
	    { 1, "" } };
	const struct written	*u = unit == UNIT_SECONDS ? seconds :
	    unit == UNIT_BYTES ? bytes : none;

	while (n == 0 ? u->factor > 1 : n % u->factor != 0)
		u++;
	snprintf(dst, 32, "%llu%s", (unsigned long long)(n / u->factor),
	    u->name);
	return (dst);
}

int
conf_set_number(struct conf *c, const char *member, uint64_t value, char *err,
    size_t err_size)
{
	const struct setting	*s = settings;
	char			 is[32], from[32], to[32];

	while (s < settings + sizeof(settings) / sizeof(settings[0]) &&
	    strcmp(s->member, member) != 0)
		s++;
	if (s == settings + sizeof(settings) / sizeof(settings[0])) {
		snprintf(err, err_size, "%s: no such setting", member);
		return (-1);
	}
	if (value < s->min || value > s->max) {
		snprintf(err, err_size, "%s: %s is out of range %s to %s",
		    s->keyword, as_written(is, s->unit, value),
		    as_written(from, s->unit, s->min),
		    as_written(to, s->unit, s->max));
		return (-1);
	}
	memcpy((char *)c + s->offset, &value, sizeof(value));
	return (0);
}
