/* SPDX-License-Identifier: ISC */
#ifndef BEGIN_H
#define BEGIN_H

struct conn;
struct httphead;

/* A head is complete, at the start of c->in: whose is it? See door_ops. */
void	request_begin(struct conn *, const struct httphead *);
/* Once more, of a request whose job is no more: conn_again(). */
void	request_again(struct conn *, const struct httphead *);
/* What came is no request: say so, to HTTP/2 in its own words. */
void	request_refuse(struct conn *, int status, const char *why);

#endif
