/* SPDX-License-Identifier: ISC */
#ifndef SECRET_H
#define SECRET_H

#include <stddef.h>

#include "imsg/msg.h"

/*
 * System keys and secrets, and the stored forms of what must not be readable
 * in the store. Pure, but for the random numbers. tunnel-protocol.md, 1.3.
 */

#define SECRET_PRIVATE_MIN	32	/* characters after the dot */
#define SECRET_PUBLIC_SIZE	SECRET_SIZE
#define SECRET_STORED_SIZE	98	/* 32 hex, ':', 64 hex, NUL */

/*
 * Take `my_<public>.<private>` apart: the public part is copied (into
 * SECRET_PUBLIC_SIZE bytes), *private points into `secret`. 0, or -1 when it is
 * not of that form or the private part is too short.
 */
int	secret_parse(const char *secret, char *public, const char **private);

/* The stored form of a private part, under a fresh salt. */
void	secret_store(const char *private, char stored[SECRET_STORED_SIZE]);

/*
 * Does `private` belong to `stored`? 0 yes; -1 no, also when the stored form is
 * malformed. Costs the same for both answers.
 */
int	secret_verify(const char *stored, const char *private);

/* Cost what a check costs, for a key that nobody has. */
void	secret_waste(const char *private);

/* A new system key and secret as they are issued. */
void	secret_make(char key[SYSKEY_SIZE], char secret[SECRET_SIZE]);

/*
 * The same, and of the secret what the store has. 0, or -1: there is none, as
 * libcrypto has none.
 */
int	secret_new(char key[SYSKEY_SIZE], char secret[SECRET_SIZE],
	    char public[SECRET_PUBLIC_SIZE], char stored[SECRET_STORED_SIZE]);

/* 32 random bytes as 64 lower-case hex digits. */
void	secret_token(char token[HEX64_SIZE]);

/* Hex SHA-256 of a token: what the store and the tables keep of it. */
void	secret_hash(const char *token, char hash[HEX64_SIZE]);

/* A random UUID in lower case. */
void	secret_uuid(char uuid[UUID_SIZE]);

#endif
