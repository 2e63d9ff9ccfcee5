/* SPDX-License-Identifier: ISC */
#include <ctype.h>
#include <string.h>
#include <time.h>

#include "base/compat.h"
#include "handshake.h"

#define SECONDS_MAX	86400		/* more is nonsense */

uint64_t
retry_after_parse(const char *s, size_t len, int64_t now)
{
	struct tm	tm = { 0 };
	char		text[64];
	const char	*err, *end;
	long long	seconds;

	if (len == 0 || len >= sizeof(text))
		return (0);
	memcpy(text, s, len);
	text[len] = '\0';
	if (isdigit((unsigned char)text[0])) {
		seconds = strtonum(text, 0, SECONDS_MAX, &err);
		return (err == NULL ? (uint64_t)seconds * 1000 : 0);
	}
	end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	if (end == NULL || *end != '\0')
		return (0);
	seconds = (long long)timegm(&tm) - now;
	if (seconds <= 0 || seconds > SECONDS_MAX)
		return (0);
	return ((uint64_t)seconds * 1000);
}
