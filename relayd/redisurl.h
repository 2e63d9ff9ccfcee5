/* SPDX-License-Identifier: ISC */
#ifndef REDISURL_H
#define REDISURL_H

#include "imsg/msg.h"

/* Where Redis is: redis://address[:port][/number], and no name. Pure. */
struct redis_url {
	char		host[ADDR_SIZE];
	unsigned	port, number;
};

/* NULL, or what is wrong with it. */
const char	*redis_url(struct redis_url *, const char *text);

#endif
