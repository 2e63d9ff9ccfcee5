/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "where.h"

#define OTHERS	8	/* that are said here */

void
where_fill(struct where *w, const PQconninfoOption *o, const char *password,
    const char *options, const char *name)
{
	int	n = 0;

	/* An address is not to be looked up. */
	for (; o->keyword != NULL && n < WHERE_MAX - OTHERS; o++)
		if (o->val != NULL) {
			w->key[n] = strcmp(o->keyword, "host") == 0 ?
			    "hostaddr" : o->keyword;
			w->value[n++] = o->val;
		}
#define SET(k, v)	w->key[n] = (k), w->value[n++] = (v)
	SET("password", password != NULL ? password : "");
	SET("passfile", "/nonexistent");
	SET("sslmode", "disable");
	SET("gssencmode", "disable");
	SET("client_encoding", "UTF8");
	SET("application_name", name);
	SET("options", options);
#undef SET
	w->key[n] = w->value[n] = NULL;
}
