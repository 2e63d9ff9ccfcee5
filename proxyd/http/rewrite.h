/* SPDX-License-Identifier: ISC */
#ifndef REWRITE_H
#define REWRITE_H

#include <stddef.h>

#include "http/head.h"
#include "urlmap.h"

/*
 * Bodies on their way to the browser: each host by which a service of the
 * session knows itself becomes that service's proxy host. Pure.
 * operator-api.md, 7.10.
 */

/* Most bytes of a body that is rewritten, packed and unpacked. */
#define REWRITE_MAX	5242880

/* How a body is to be read that may be rewritten. */
enum rewrite_kind {
	REWRITE_NONE,		/* it may not: type, status, encoding, length */
	REWRITE_PLAIN,
	REWRITE_GZIP,
	REWRITE_SNIFF		/* plain, if it begins as a page: sniff.h */
};
/* `h` is an answer that has a body, and not to HEAD. */
enum rewrite_kind	rewrite_kind(const struct httphead *h);

/* What is looked for, and what is put there: a copy, good for long. */
struct rewrite;

/* Of this request's session. NULL: nothing to look for, or out of memory. */
struct rewrite	*rewrite_new(const struct urlmap *);
void		 rewrite_free(struct rewrite *);
/* The most places at which a word is compared, to know how well it goes. */
size_t		 rewrite_probes(const struct rewrite *);

/* Where the text goes; `p` NULL: it is only counted. */
struct rewrite_out {
	char	*p;
	size_t	 len, cap;	/* SIZE_MAX when it is counted */
	size_t	 hits;		/* hosts that were replaced */
};

/*
 * Go through `buf`, from `from` to `len`; what is before `from` has been gone
 * through already, and at least REWRITE_BEHIND bytes of it are there if there
 * were as many. Returns how far it has come: all before that is out. Unless
 * `last`, up to REWRITE_AHEAD bytes are left for when more is there; with less
 * than REWRITE_ROOM bytes of room nothing is done. Time and room do not depend
 * on how many hosts there are.
 */
#define REWRITE_BEHIND	24
#define REWRITE_AHEAD	320
#define REWRITE_ROOM	4096
size_t	rewrite_run(const struct rewrite *, const char *buf, size_t from,
	    size_t len, int last, struct rewrite_out *);

#endif
