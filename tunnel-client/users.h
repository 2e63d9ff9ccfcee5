/* SPDX-License-Identifier: ISC */
#ifndef USERS_H
#define USERS_H

#include <cjson/cJSON.h>

#include "client.h"

/*
 * The users that an operator logs in with: made when the first connection is
 * up, reported, deleted at the end; by the next start, if there was no end.
 * All of it beside the tunnel, which waits for none of it.
 * tunnel-protocol.md, 4.5, 4.6 and 7.8.
 */

/*
 * `o` is kept until users_clear(). 1: a crash left some behind, which go as
 * soon as users_discovered() is called.
 */
int	users_start(const struct options *o);
/* A tunnel is up, and the server has a manifest. */
void	users_connected(void);
/* It is no more. */
void	users_disconnected(void);
/* Services have been looked for, however it went. */
void	users_discovered(void);
/*
 * Consent was given or withdrawn: without it there are no users, and what was
 * made goes at once.
 */
void	users_consent(void);
/*
 * Take away all that was made. Returns 0 if there is nothing; else `fn` is
 * called when it is gone, or cannot be.
 */
int	users_leave(void (*fn)(void));
/*
 * "users" as a member of *o, for who looks after this machine: names of those
 * that are made, and of what. No password. "users_error" while some could not
 * be deleted.
 */
void	users_add(cJSON *o);
/* What still runs is killed; the state stays for the next start. */
void	users_clear(void);

#endif
