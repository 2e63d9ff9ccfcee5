/* SPDX-License-Identifier: ISC */
#ifndef UUID_H
#define UUID_H

#include <stddef.h>

/*
 * Is this the id of a session: 8-4-4-4-12 hex digits in lower case? What is
 * not, is nobody's. operator-api.md, 1.3.
 */
int	uuid_is(const char *s, size_t len);

/*
 * The first and the last id that begin so, with dashes or without: 0, or -1
 * when none can.
 */
int	uuid_range(const char *begin, char first[37], char last[37]);

#endif
