/* SPDX-License-Identifier: ISC */
#ifndef DIALERD_DISCOVERY_H
#define DIALERD_DISCOVERY_H

#include <stddef.h>

#include "imsg/msg.h"

/*
 * The document that an identity provider has at
 * /.well-known/openid-configuration. Pure. OpenID Connect Discovery 1.0, 3 and
 * 4.
 */
struct discovery {
	char	keys[URL_SIZE];		/* jwks_uri */
	/* for clients; "" where there is none that could be one */
	char	authorization[URL_SIZE], token[URL_SIZE], device[URL_SIZE];
	/* what it says that it signs with, as far as it is ours; or RS256 */
	char	algs[WORD_SIZE];
};

/*
 * 0, or -1 and *why says why: it has to be the document of this issuer, byte
 * for byte, and its keys at the same host and port.
 */
int	discovery_read(const char *text, size_t len, const char *issuer,
	    struct discovery *, const char **why);
/* Where it is. 0; -1: does not fit. */
int	discovery_url(const char *issuer, char url[URL_SIZE]);

#endif
