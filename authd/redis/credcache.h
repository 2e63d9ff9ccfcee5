/* SPDX-License-Identifier: ISC */
#ifndef REDIS_CREDCACHE_H
#define REDIS_CREDCACHE_H

#include "authd/cred/known.h"

/*
 * The second tier of what is known of secrets (cred/known.h): Redis, which
 * other daemons fill as well. What it says is a hint where to look in the
 * store, or that it need not be looked at; it lets nobody in. operator-api.md,
 * 9.3.
 */
typedef void (*credcache_then)(enum known, const char *id, void *arg);

/* `then` is called later; -1: it is not, as there is nobody to ask. */
int	credcache_ask(const char *key, const char *secret, credcache_then,
	    void *arg);
/* What the store said: its system, or NULL for a bad one. */
void	credcache_put(const char *key, const char *secret, const char *id);

#endif
