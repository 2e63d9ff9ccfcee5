/* SPDX-License-Identifier: ISC */
#ifndef WORLD_H
#define WORLD_H

#include "proc/conf.h"

/* The store of a test: a directory that goes with the program. */

/* Make it; settings with its path, a proxy domain, and no rate in the way. */
void	world_init(struct conf *);
/*
 * Run SQL on the store beside authd: the first column of the first row, or 0.
 * sql_becomes asks again until it is `want`, for WAIT_MS.
 */
long long world_sql(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
long long sql_becomes(long long want, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3)));

#endif
