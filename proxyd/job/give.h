/* SPDX-License-Identifier: ISC */
#ifndef GIVE_H
#define GIVE_H

struct conn;
struct httphead;

/*
 * Tunnels and terminals: authd is asked, then the connection is given away.
 * tunnel-protocol.md, 1; operator-api.md, 6.2.
 */
void	give_tunnel(struct conn *, const struct httphead *);
void	give_terminal(struct conn *, const struct httphead *,
	    const char *session);

#endif
