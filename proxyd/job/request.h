/* SPDX-License-Identifier: ISC */
#ifndef REQUEST_H
#define REQUEST_H

struct conn;
struct httphead;

/* A head is complete, at the start of c->in: whose is it? */
void	request_begin(struct conn *, const struct httphead *);
/* The subdomain proxy's part, again after each thing it waited for. */
void	request_proxy(struct conn *, const struct httphead *);
/* tunnel and terminal: ask authd, give the connection away (give.c) */
void	give_tunnel(struct conn *, const struct httphead *);
void	give_terminal(struct conn *, const struct httphead *,
	    const char *session);

#endif
