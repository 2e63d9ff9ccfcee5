/* SPDX-License-Identifier: ISC */
#ifndef WHERE_H
#define WHERE_H

#include <libpq-fe.h>

/*
 * What libpq is told of a server: the words of the configuration, and all that
 * it would look for in files or in the environment otherwise.
 */
#define WHERE_MAX	40

struct where {
	const char	*key[WHERE_MAX], *value[WHERE_MAX];
};

/*
 * The texts are borrowed. A password of NULL is none; `ca` is a file with who
 * may have signed the server's certificate, which has to be of the host that is
 * named, NULL: no TLS.
 */
void	where_fill(struct where *, const PQconninfoOption *,
	    const char *password, const char *ca, const char *options,
	    const char *name);

#endif
