/* SPDX-License-Identifier: ISC */
#ifndef FAR_H
#define FAR_H

#include <openssl/evp.h>

/*
 * Private keys that are elsewhere: a provider of OpenSSL's (provider(7)) with
 * keys of which the public half is here, and which sign by asking keyd
 * (sign.h). It lives in a library context of its own, so that nothing else ever
 * finds it.
 */

/* Once. 0 or -1. */
int	far_init(void);
/* The key whose public half that is; NULL: of no kind that is used. */
EVP_PKEY *far_key(EVP_PKEY *pub);

#endif
