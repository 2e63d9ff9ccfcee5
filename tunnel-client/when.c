/* SPDX-License-Identifier: ISC */
#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client.h"
#include "when.h"

#define DAY_S		86400
#define DAYS_MAX	3660

/* Days are people's, not Go's. */
static int64_t
span_parse(const char *s)
{
	uint64_t	 ms;
	char		*end;
	long		 days;

	if (isdigit((unsigned char)*s)) {
		days = strtol(s, &end, 10);
		if (strcmp(end, "d") == 0)
			return (days > DAYS_MAX ? -1 : days * DAY_S);
	}
	if (duration_parse(s, &ms) == -1 ||
	    ms / 1000 > (uint64_t)DAYS_MAX * DAY_S)
		return (-1);
	return ((int64_t)(ms / 1000));
}

/* Z or +hh:mm: how far east, in seconds. NULL if it is neither. */
static const char *
zone_parse(const char *s, long *east)
{
	static const char	form[] = "dd:dd";
	size_t			i;

	*east = 0;
	if (*s == 'Z')
		return (s + 1);
	if (*s != '+' && *s != '-')
		return (NULL);
	for (i = 0; form[i] != '\0'; i++)
		if (form[i] == 'd' ? !isdigit((unsigned char)s[i + 1]) :
		    s[i + 1] != form[i])
			return (NULL);
	*east = ((s[1] - '0') * 10 + s[2] - '0') * 3600L +
	    ((s[4] - '0') * 10 + s[5] - '0') * 60L;
	if (*s == '-')
		*east = -*east;
	return (s + 6);
}

static int64_t
date_parse(const char *s)
{
	struct tm	 tm = { .tm_isdst = -1 }, was;
	const char	*p;
	long		 east;
	time_t		 t;

	if ((p = strptime(s, "%Y-%m-%d", &tm)) == NULL ||
	    (*p != 'T' && *p != ' ') ||
	    (p = strptime(p + 1, "%H:%M", &tm)) == NULL ||
	    (*p == ':' && (p = strptime(p + 1, "%S", &tm)) == NULL))
		return (-1);
	was = tm;
	if (*p == '\0') {
		if ((t = mktime(&tm)) == -1 || tm.tm_mday != was.tm_mday)
			return (-1);
		return (t);
	}
	if ((p = zone_parse(p, &east)) == NULL || *p != '\0' ||
	    (t = timegm(&tm)) == -1 || tm.tm_mday != was.tm_mday)
		return (-1);
	return (t - east);
}

int64_t
when_parse(const char *s, int64_t now)
{
	int64_t	span;

	if (now != 0 && (span = span_parse(s)) != -1)
		return (now + span);
	return (date_parse(s));
}

char *
when_print(char *dst, int64_t t)
{
	struct tm	tm;
	time_t		when = (time_t)t;

	if (gmtime_r(&when, &tm) == NULL ||
	    strftime(dst, WHEN_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		*dst = '\0';
	return (dst);
}
