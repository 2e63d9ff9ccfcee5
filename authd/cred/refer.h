/* SPDX-License-Identifier: ISC */
#ifndef REFER_H
#define REFER_H

#include "authd/cred/jwt.h"
#include "base/reference.h"
#include "imsg/msg.h"

/*
 * References to proxy tokens. The same token has the same one, which nobody can
 * make who has not the key of tokens. The store has its hash, and the token
 * under a key that only the reference gives: who has the store alone can use
 * neither. Pure, but for the random numbers.
 */

#define REFER_TOKEN_MAX	2048	/* a longer token stays as it is */
#define REFER_SEALED_SIZE	2816	/* base64, with its NUL */

/* 0, or -1: no key, or too long a token. */
int	refer_make(const char *token, const struct proxy_claims *,
	    char reference[REFERENCE_SIZE]);
/* What the store has. 0, or -1. */
void	refer_hash(const char *reference, char id[HEX64_SIZE]);
int	refer_seal(const char *reference, const char *token,
	    char sealed[REFER_SEALED_SIZE]);
/* Back: 0, or -1: it is not of this reference. */
int	refer_open(const char *reference, const char *sealed,
	    char token[REFER_TOKEN_MAX + 1]);

#endif
