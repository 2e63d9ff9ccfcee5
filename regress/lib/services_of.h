/* SPDX-License-Identifier: ISC */
#ifndef SERVICES_OF_H
#define SERVICES_OF_H

#include "proxyd/http/service.h"

/* A session's table of `n` services in `t`, all with a label; `v` has room. */
static inline struct services
services_of(struct service *t, size_t n, struct service **v)
{
	struct services	s = { v, n, n };
	size_t		i;

	for (i = 0; i < n; i++)
		v[i] = &t[i];
	return (s);
}

#endif
