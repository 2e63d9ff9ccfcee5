/* SPDX-License-Identifier: ISC */
/*
 * Words for libpq: what is let through libpq takes for the same, and finds
 * nothing in it that was not looked at.
 */
#include <libpq-fe.h>
#include <stdio.h>

#include "base/compat.h"
#include "base/conninfo.h"
#include "fuzz.h"

static void
same(const char *text, unsigned port)
{
	PQconninfoOption	*all = PQconninfoParse(text, NULL), *o;
	const char		*host = NULL, *addr = NULL, *s;
	unsigned		 said = 5432;
	size_t			 len;

	if (all == NULL)
		abort();
	for (o = all; o->keyword != NULL; o++) {
		if (o->val == NULL)
			continue;
		if (strcmp(o->keyword, "host") == 0)
			host = o->val;
		else if (strcmp(o->keyword, "hostaddr") == 0)
			addr = o->val;
		else if (strcmp(o->keyword, "port") == 0)
			said = (unsigned)atoi(o->val);
		else if (strcmp(o->keyword, "dbname") != 0 &&
		    strcmp(o->keyword, "user") != 0)
			abort();
	}
	if (said != port || (host == NULL && addr == NULL))
		abort();
	s = conninfo_socket(text, &len);
	if ((s != NULL) != (host != NULL && host[0] == '/') ||
	    (s != NULL && (len != strlen(host) ||
	    strncmp(s, host, len) != 0 || addr != NULL)))
		abort();
	PQconninfoFree(all);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char		text[700], err[160];
	unsigned	port;

	if (len >= sizeof(text))
		len = sizeof(text) - 1;
	memcpy(text, data, len);
	text[len] = '\0';
	if (conninfo_check(text, &port, err, sizeof(err)) == 0)
		same(text, port);
	return (0);
}
