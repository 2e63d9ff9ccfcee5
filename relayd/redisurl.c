/* SPDX-License-Identifier: ISC */
#include <arpa/inet.h>

#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "redisurl.h"

#define SCHEME	"redis://"

static int
is_address(const char *s)
{
	uint8_t	addr[sizeof(struct in6_addr)];

	return (inet_pton(strchr(s, ':') != NULL ? AF_INET6 : AF_INET, s,
	    addr) == 1);
}

/* It goes into a configuration that is printed, too. */
static int
is_user(const char *s)
{
	size_t	n = strspn(s, "abcdefghijklmnopqrstuvwxyz"
		    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

	return (n > 0 && s[n] == '\0');
}

const char *
redis_url(struct redis_url *url, const char *text)
{
	const char	*wrong = NULL;
	char		 rest[192], *s = rest, *end;

	url->port = 6379;
	url->number = 0;
	url->user[0] = '\0';
	if (strncmp(text, SCHEME, sizeof(SCHEME) - 1) != 0)
		return ("does not begin with " SCHEME);
	if (strlcpy(rest, text + sizeof(SCHEME) - 1, sizeof(rest)) >=
	    sizeof(rest))
		return ("too long");
	if ((end = strrchr(rest, '@')) != NULL) {
		*end = '\0';
		if (strchr(rest, ':') != NULL)
			return ("a password belongs into a file of its own");
		if (!is_user(rest) || strlcpy(url->user, rest,
		    sizeof(url->user)) >= sizeof(url->user))
			return ("its user is none");
		s = end + 1;
	}
	if ((end = strchr(s, '/')) != NULL) {
		*end++ = '\0';
		if (*end != '\0')
			url->number = (unsigned)strtonum(end, 0, 1023, &wrong);
		if (wrong != NULL)
			return ("the number of its database is 0 to 1023");
	}
	if (*s == '[' && (end = strchr(s, ']')) != NULL) {
		s++;
		*end++ = '\0';
	} else {
		end = s + strcspn(s, ":");
	}
	if (*end == ':') {
		*end++ = '\0';
		url->port = (unsigned)strtonum(end, 1, 65535, &wrong);
	} else if (*end != '\0') {
		wrong = "invalid";
	}
	if (wrong != NULL)
		return ("its port is 1 to 65535");
	if (!is_address(s) ||
	    strlcpy(url->host, s, sizeof(url->host)) >= sizeof(url->host))
		return ("an address is needed, and no name");
	return (NULL);
}
