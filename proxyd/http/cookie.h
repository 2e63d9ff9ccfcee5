/* SPDX-License-Identifier: ISC */
#ifndef COOKIE_H
#define COOKIE_H

#include <stddef.h>
#include <stdint.h>

#include "http/head.h"
#include "imsg/msg.h"

/*
 * Cookies, and the token in the query that becomes one. Pure but for memory
 * that cJSON asks for. operator-api.md, 7.4 and 7.9.
 */

/*
 * A host's own cookie is COOKIE_HOST: the browser lets no other host set it and
 * sends it to no other, so that it is there once, whatever other pages do and
 * however many sessions there are. COOKIE_NAME_<slug> on the parent domain
 * brings a sibling in for the first time; of these there are few. Over plain
 * http, where browsers know no such prefix, the own one is COOKIE_NAME.
 */
#define COOKIE_NAME	"support_proxy"
#define COOKIE_HOST	"__Host-" COOKIE_NAME
#define COOKIE_TRIES	4	/* cookies of one name that are tried */
#define COOKIE_SESSIONS	6	/* on the parent domain: the newest */
#define COOKIE_ENDS	8	/* that are taken away at once */

/*
 * Find the values of COOKIE_HOST and behind it of `support_proxy_<slug>` in all
 * Cookie fields, in order, or if there are none those of `support_proxy` whose
 * token says that it is of this session. Returns how many, at most
 * COOKIE_TRIES.
 */
size_t	cookie_tokens(const struct httphead *, const char *slug,
	    struct slice out[COOKIE_TRIES]);

/* Which of its cookies does the request lack? `plain`: over plain http. */
#define COOKIE_LACKS_HOST	1
#define COOKIE_LACKS_DOMAIN	2
int	cookie_lacks(const struct httphead *, const char *slug, int plain);

/*
 * The names of cookies of other sessions on the parent domain that are too many
 * beside this one's: all but the newest COOKIE_SESSIONS - 1, going by what
 * their tokens say; those that hold no token first. Returns how many, at most
 * COOKIE_ENDS.
 */
size_t	cookie_ends(const struct httphead *, const char *slug,
	    struct slice names[COOKIE_ENDS]);

/*
 * Copy a Cookie value without the pairs whose name begins with support_proxy or
 * COOKIE_HOST, the others byte for byte. `out` has room for v->len bytes.
 * Returns the length, 0 when nothing is left.
 */
size_t	cookie_strip(const struct slice *v, char *out);

/*
 * Copy a Set-Cookie value as a browser of the proxy host may have it: without
 * Domain, with Secure when `secure` and else without what only https browsers
 * keep, with SameSite=Lax where there is none, the rest byte for byte. `out`
 * has room for v->len + COOKIE_SET_MORE bytes. Returns the length, 0 when the
 * cookie must not be set at all.
 */
#define COOKIE_SET_MORE	32
size_t	cookie_set(const struct slice *v, int secure, char *out);

/*
 * Whether this has the form of a proxy token, or of a reference to one, for the
 * session of `slug`. Nothing is verified: that is authd's.
 */
int	cookie_token_is_for(const struct slice *token, const char *slug);

/*
 * Find the query parameter `token` that has the form of a proxy token for this
 * slug. Returns 1 and the raw value, or 0.
 */
int	cookie_query_token(const struct slice *query, const char *slug,
	    struct slice *token);

/*
 * Write where the browser goes after the exchange: the raw path, its leading
 * slashes and backslashes made one '/', and the raw query without `token`
 * (which lies inside `query`). Returns the length, or -1 when `size` is too
 * small.
 */
long	cookie_redirect(const struct slice *path, const struct slice *query,
	    const struct slice *token, char *out, size_t size);

#endif
