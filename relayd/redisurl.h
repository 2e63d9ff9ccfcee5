/* SPDX-License-Identifier: ISC */
#ifndef REDISURL_H
#define REDISURL_H

#include "imsg/msg.h"

#define REDIS_USER_SIZE	65

/*
 * Where Redis is: redis://[user@]address[:port][/number], and no name of a
 * host. Pure.
 */
struct redis_url {
	char		user[REDIS_USER_SIZE];	/* or "" */
	char		host[ADDR_SIZE];
	unsigned	port, number;
};

/* NULL, or what is wrong with it. */
const char	*redis_url(struct redis_url *, const char *text);

#endif
