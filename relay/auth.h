/* SPDX-License-Identifier: ISC */
#ifndef AUTH_H
#define AUTH_H

/*
 * Tokens of the identity provider that a relay names: the device flow (RFC
 * 8628), and another token for one that has expired. rendezvous-protocol.md,
 * 10.
 */

/* A token for relay.url, which asks for none with ""; `why` not NULL: none. */
typedef void	(*auth_fn)(const char *token, const char *why, int unreached);

/* What is in the file, fresh. 0, or -1: no memory. */
int	auth_token(const char *path, const char *client, auth_fn);
/*
 * relay auth: tell where to go and what to enter, wait, and keep what is given.
 * Ends with tool_end(). 0, or -1.
 */
int	auth_login(const char *path, const char *client);

#endif
