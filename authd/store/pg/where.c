/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "where.h"

#define OTHERS	12	/* that are said here */
#define NOWHERE	"/nonexistent"

static int
is_said(const PQconninfoOption *o, const char *key)
{
	for (; o->keyword != NULL; o++)
		if (strcmp(o->keyword, key) == 0)
			return (o->val != NULL);
	return (0);
}

static void
where_set(struct where *w, int *n, const char *key, const char *value)
{
	w->key[*n] = key;
	w->value[(*n)++] = value;
}

/*
 * All files of TLS are named: of one that is not, libpq would look for a home
 * to find it in.
 */
static void
where_tls(struct where *w, int *n, const char *ca)
{
	where_set(w, n, "sslmode", ca != NULL ? "verify-full" : "disable");
	if (ca == NULL)
		return;
	where_set(w, n, "sslrootcert", ca);
	where_set(w, n, "sslcert", NOWHERE);
	where_set(w, n, "sslkey", NOWHERE);
	where_set(w, n, "sslcrl", NOWHERE);
}

void
where_fill(struct where *w, const PQconninfoOption *all, const char *password,
    const char *ca, const char *options, const char *name)
{
	const PQconninfoOption	*o;
	int			 n = 0;

	for (o = all; o->keyword != NULL && n < WHERE_MAX - OTHERS - 1; o++) {
		if (o->val == NULL)
			continue;
		where_set(w, &n, o->keyword, o->val);
		/* An address is not to be looked up. */
		if (strcmp(o->keyword, "host") == 0 && o->val[0] != '/' &&
		    !is_said(all, "hostaddr"))
			where_set(w, &n, "hostaddr", o->val);
	}
	where_set(w, &n, "password", password != NULL ? password : "");
	where_set(w, &n, "passfile", NOWHERE);
	where_tls(w, &n, ca);
	where_set(w, &n, "gssencmode", "disable");
	where_set(w, &n, "client_encoding", "UTF8");
	where_set(w, &n, "application_name", name);
	where_set(w, &n, "options", options);
	w->key[n] = w->value[n] = NULL;
}
