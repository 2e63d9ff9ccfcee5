/* SPDX-License-Identifier: ISC */
#ifndef CONNINFO_H
#define CONNINFO_H

#include <stddef.h>

/*
 * Where a PostgreSQL server is, in libpq's words (key=value, without quotes).
 * What would have to be looked up is refused, since authd has no resolver: the
 * host is an address, or has one beside it (hostaddr), or is the directory of a
 * socket; and a password is no word of it. 0, and the port; -1: err says what
 * is wrong. Pure.
 */
int	conninfo_check(const char *, unsigned *port, char *err, size_t size);
/* That directory, in the text; NULL: it is none. */
const char	*conninfo_socket(const char *, size_t *len);

#endif
