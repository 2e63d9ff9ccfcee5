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

int
conf_set_number(struct conf *c, const char *member, uint64_t value, char *err,
    size_t err_size)
{
	static const char *const	units[] = { "", " seconds", " bytes",
	    "" };
	const struct setting		*s = settings;

	while (s < settings + sizeof(settings) / sizeof(settings[0]) &&
	    strcmp(s->member, member) != 0)
		s++;
	if (s == settings + sizeof(settings) / sizeof(settings[0])) {
		snprintf(err, err_size, "%s: no such setting", member);
		return (-1);
	}
	if (value < s->min || value > s->max) {
		snprintf(err, err_size,
		    "%s: %llu is out of range %llu to %llu%s", s->keyword,
		    (unsigned long long)value, (unsigned long long)s->min,
		    (unsigned long long)s->max, units[s->unit]);
		return (-1);
	}
	memcpy((char *)c + s->offset, &value, sizeof(value));
	return (0);
}
