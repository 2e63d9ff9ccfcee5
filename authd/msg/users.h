/* SPDX-License-Identifier: ISC */
#ifndef AUTHD_USERS_H
#define AUTHD_USERS_H

#include <stddef.h>

struct doc;
struct document;
struct peer;
struct session;

/*
 * Reports of users: a session's newest, sealed in the store. One without
 * credentials never takes the place of one with them: its muxd merges the two.
 * tunnel-protocol.md, 4.5 and 4.6.
 */

/* A muxd may ask and tell so much of them; over it: 0. */
int	users_may(struct peer *);
/* A whole one has come. */
void	users_keep(struct session *, const struct doc *, int credentials);
/*
 * What the store has, open: terminated, to be wiped and freed, *len bytes.
 * NULL: it cannot be read; errno as unseal() has it.
 */
char	*users_open(const struct document *, size_t *len);

#endif
