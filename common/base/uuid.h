/* SPDX-License-Identifier: ISC */
#ifndef UUID_H
#define UUID_H

#include <stddef.h>

/*
 * Is this the id of a session: 8-4-4-4-12 hex digits in lower case? What is
 * not, is nobody's. operator-api.md, 1.3.
 */
int	uuid_is(const char *s, size_t len);

#endif
