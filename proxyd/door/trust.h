/* SPDX-License-Identifier: ISC */
#ifndef TRUST_H
#define TRUST_H

#include "addr.h"
#include "proc/conf.h"

/* The proxies in front of us that may say who their client is. */

/* Take the networks of a configuration. 0, or -1 with *why and as before. */
int	trust_configure(const struct conf *, const char **why);
int	trust_has(const struct addr *peer);
/* The name to go by: what a trusted peer says it was, else Host. */
const struct slice *trust_host(int trusted, const struct httphead *);
/* Whom a trusted peer names, else `a` stays. */
void	trust_forwarded(struct addr *a, const struct httphead *);

#endif
