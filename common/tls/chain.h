/* SPDX-License-Identifier: ISC */
#ifndef CHAIN_H
#define CHAIN_H

#include <openssl/x509.h>

#include <stddef.h>
#include <stdint.h>

#include "imsg/msg.h"

/* The files of certificates, for tlsd and keyd. */

#define CHAIN_FILE_MAX	(256 << 10)

/*
 * All of a file, from its beginning; `fd` is closed. The bytes (with a NUL
 * behind), which the caller wipes and frees, or NULL with *why.
 */
char	*chain_read(int fd, size_t *len, const char **why);
/* A chain in PEM, the server's own first. NULL with *why. */
STACK_OF(X509)	*chain_parse(const char *, size_t, const char **why);
void	chain_free(STACK_OF(X509) *);
/* These are to be believed: be they signed by others or not. 0 or -1. */
int	chain_trust(X509_STORE *, STACK_OF(X509) *);
/* How a key is called between tlsd and keyd. 0 or -1. */
int	chain_key_id(EVP_PKEY *, uint8_t id[TLS_KEY_ID]);

#endif
