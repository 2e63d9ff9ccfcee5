/* SPDX-License-Identifier: ISC */
#ifndef GIVE_H
#define GIVE_H

struct conn;
struct httphead;

struct slice;

/*
 * Tunnels, terminals and TCP: authd is asked, then the connection is given
 * away. tunnel-protocol.md, 1; operator-api.md, 6.2 and 6.5.
 */
void	give_tunnel(struct conn *, const struct httphead *);
void	give_terminal(struct conn *, const struct httphead *,
	    const struct slice *session);
void	give_tcp(struct conn *, const struct httphead *,
	    const struct slice *session, const struct slice *service);

/* /relay/ID: `id` as sent, `host` by which it was called. */
void	give_relay(struct conn *, const struct httphead *,
	    const struct slice *id, const struct slice *host);

/* /ws: pairing-protocol.md, 2. */
void	give_pair(struct conn *, const struct httphead *);
/* An existing back end's, under the grant that it got for the session. */
void	give_internal(struct conn *, const struct httphead *,
	    const char *session, uint64_t grant);
/* The same, where authd has said that the session has no tunnel. */
void	give_internal_none(struct conn *, const struct httphead *,
	    const char *message);

#endif
