/* SPDX-License-Identifier: ISC */
#include <hiredis/hiredis.h>
#include <sodium.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authd/cred/secret.h"
#include "authd/redis/bus.h"
#include "authd/redis/credcache.h"
#include "authd/redis/said.h"
#include "base/compat.h"

#define GOOD_MS		(24 * 3600 * 1000U)
#define BAD_MS		"60000"
#define INVALID		"invalid"
#define NAME_SIZE_	(sizeof("auth:system:") + SYSKEY_SIZE + HEX64_SIZE)

struct lookup {
	credcache_then	 then;
	void		*arg;
};

/* Only of keys as they are issued: what strangers make up is not kept there. */
static int
name_of(char name[NAME_SIZE_], const char *key, const char *secret)
{
	char	hash[HEX64_SIZE];

	if (!said_is_key(key, strlen(key)))
		return (-1);
	secret_hash(secret, hash);
	snprintf(name, NAME_SIZE_, "auth:system:%s:%s", key, hash);
	return (0);
}

static void
looked_up(const struct redisReply *r, void *arg)
{
	struct lookup	*l = arg;

	if (r == NULL || r->type != REDIS_REPLY_STRING || r->len == 0 ||
	    (size_t)r->len >= ID_SIZE || strlen(r->str) != (size_t)r->len)
		l->then(KNOWN_NOT, "", l->arg);
	else if (strcmp(r->str, INVALID) == 0)
		l->then(KNOWN_BAD, "", l->arg);
	else
		l->then(KNOWN_GOOD, r->str, l->arg);
	free(l);
}

int
credcache_ask(const char *key, const char *secret, credcache_then then,
    void *arg)
{
	char		 name[NAME_SIZE_];
	struct lookup	*l;

	if (!redis_is_up(bus_asks()) || name_of(name, key, secret) == -1 ||
	    (l = calloc(1, sizeof(*l))) == NULL)
		return (-1);
	l->then = then;
	l->arg = arg;
	if (redis_ask(bus_asks(), looked_up, l, "GET", name, NULL) == 0)
		return (0);
	free(l);
	return (-1);
}

void
credcache_put(const char *key, const char *secret, const char *id)
{
	char	name[NAME_SIZE_], ms[16];

	if (!redis_is_up(bus_asks()) || name_of(name, key, secret) == -1)
		return;
	snprintf(ms, sizeof(ms), "%u", GOOD_MS - GOOD_MS / 4 +
	    randombytes_uniform(GOOD_MS / 2 + 1));
	(void)redis_ask(bus_asks(), NULL, NULL, "SET", name,
	    id != NULL ? id : INVALID, "PX", id != NULL ? ms : BAD_MS, NULL);
}
