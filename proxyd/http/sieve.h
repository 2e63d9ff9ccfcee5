/* SPDX-License-Identifier: ISC */
#ifndef SIEVE_H
#define SIEVE_H

#include <stddef.h>

#include "http/head.h"

/*
 * The cookies of services. All proxy hosts share a parent domain, for which any
 * customer's page can set a cookie, and browsers do not say who has set what
 * they send. So what a service sets is kept under a name that browsers accept
 * from the host itself and for no other, `__Host-~NAME`:
 *
 *	__Host-~NAME=.VALUE	of an HttpOnly cookie, which has this place only
 *	__Host-~NAME=#HASH	of another, which scripts have to find under its
 *				own name: beside it, to tell it from a planted one
 *
 * Such names need Path=/. Another path is in the name, `__Host-~!admin~NAME`,
 * and proxyd says for which requests a cookie is. A service gets back what it
 * has set, under its own names. Over https only; plain http knows no such
 * names. Pure. operator-api.md, 7.6 and 7.9.
 */
#define SIEVE_PREFIX	"__Host-~"
/* Chromium gives up others first when a page has set too many. */
#define SIEVE_PRIORITY	"Priority=High"
#define SIEVE_MAX	256	/* cookies of a request; what is more is gone */
#define SIEVE_PATH_MAX	256	/* a longer Path is the whole host's */

struct sieve_item {
	struct slice	 name, value;	/* as the service knows them */
	size_t		 rank;		/* length of its path, 0: another's */
	enum {
		SIEVE_OURS,		/* proxyd's own */
		SIEVE_KEPT,		/* an HttpOnly cookie of the service */
		SIEVE_MARK,		/* the hash of another */
		SIEVE_HOST,		/* __Host-: of this host for certain */
		SIEVE_PLAIN		/* anybody's */
	}		 kind;
	unsigned int	 goes:1,	/* to the service */
			 script:1;	/* though nothing vouches for it */
};

struct sieve {
	size_t			 n;
	struct sieve_item	 item[SIEVE_MAX];
};

/*
 * Sort the cookies of a request. Of plain ones that go, with SIEVE_KNOWN, those
 * that are what the service has set; and if there are none of that name, with
 * SIEVE_SCRIPTS too, one that is alone under its name and that the service has
 * not set as HttpOnly: a script of the page may have set it. For these, names
 * are one that differ in case or in which of `.[_` and space they have; the
 * name is a token, not `$...`, and the value cannot be read as several cookies.
 * The names point into the head.
 */
#define SIEVE_KNOWN	1
#define SIEVE_SCRIPTS	2
void	sieve_read(struct sieve *, const struct httphead *, int how);

struct out;
/* Write the Cookie field for the service, or nothing. */
void	sieve_put(struct out *, struct sieve *);

/* A plain cookie that does not go. */
static inline int
sieve_is_planted(const struct sieve_item *i)
{
	return (i->kind == SIEVE_PLAIN && !i->goes);
}

/* Write a Set-Cookie field that vouches for this value from now on. */
void	sieve_vouch(struct out *, const struct sieve_item *);

/*
 * Write the Set-Cookie fields for one of the service's. `dir` is the path of a
 * cookie that names none: see sieve_dir().
 */
void	sieve_set(struct out *, const struct slice *v, const struct slice *dir);

/* The default path of a request's cookies, RFC 6265, 5.1.4: within `path`. */
struct slice	sieve_dir(const struct slice *path);

#endif
