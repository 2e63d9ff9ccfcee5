/* SPDX-License-Identifier: ISC */
#ifndef WHEN_H
#define WHEN_H

#include <stdint.h>

/* Times as people write them, and as JSON has them. */

/*
 * `2026-12-01T18:00[:00][Z|+01:00]`, a blank for the T, of this place without a
 * zone; with `now` not 0 also a time from then: 90m, 2h, 3d. Seconds since
 * 1970, -1 if it is neither.
 */
int64_t	when_parse(const char *, int64_t now);

/* 2026-12-01T17:00:00Z, in `dst` of WHEN_SIZE bytes. */
#define WHEN_SIZE	64
char	*when_print(char *dst, int64_t);

#endif
