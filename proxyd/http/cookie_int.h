/* SPDX-License-Identifier: ISC */
#ifndef COOKIE_INT_H
#define COOKIE_INT_H

#include <stddef.h>

#include "http/head.h"

/* Cookie and Set-Cookie as text, for cookie.c and sieve.c. Pure. */

/*
 * The next `;`-separated piece of [*p, end), blanks around it cut off: 1, or 0
 * behind the last, when *p is NULL.
 */
int	cookie_piece(const char **p, const char *end, struct slice *piece);

/* Length of the name of `name=value`; the whole piece without '='. */
size_t	cookie_name_len(const struct slice *piece);

/* Is the attribute's name this one, in any case? */
int	cookie_attr_is(const struct slice *piece, const char *name);

/*
 * Whether this is a cookie of ours, also where the name is empty: then the
 * browser sends the value only, which is `name=value` again.
 */
int	cookie_is_ours(const struct slice *piece);

/* Walk all cookies of a request; *field and *p begin at 0 and NULL. */
int	cookie_next(const struct httphead *, size_t *field, const char **p,
	    struct slice *piece);

#endif
