/* SPDX-License-Identifier: ISC */
#ifndef KNOWN_H
#define KNOWN_H

#include <stdint.h>

#include "imsg/msg.h"

/*
 * Which secrets the store has judged lately, so that it need not be asked
 * again: good ones for a day, give or take up to a quarter, bad ones for a
 * minute. What is kept of a secret is its hash. Whether a system may connect is
 * not kept: each login reads it. operator-api.md, 9.3.
 */
enum known { KNOWN_NOT, KNOWN_GOOD, KNOWN_BAD };

/* Of a good one also its system's id. */
enum known	known_find(const char *key, const char *secret, uint64_t now_ms,
		    char id[ID_SIZE]);
/* A moment, for who begins to ask the store; was the key forgotten since? */
uint64_t	known_mark(void);
int		known_forgot(const char *key, uint64_t mark);
/*
 * The store, asked at that moment, has said: good, of this system, or bad
 * (NULL). It is not kept when the key was forgotten since.
 */
void		known_put(const char *key, const char *secret, const char *id,
		    uint64_t mark, uint64_t now_ms);
/* The system has another secret. */
void		known_forget(const char *key);
/* All may have. */
void		known_forget_all(void);
unsigned	known_count(void);
/* Forget all, for the end of a test. */
void		known_clear(void);

#endif
