/* SPDX-License-Identifier: ISC */
#ifndef INTERNAL_H
#define INTERNAL_H

struct conn;
struct httphead;
struct proxy;

void	internal_init(void);
/* A request for a service on an internal listener. */
void	internal_begin(struct conn *, const struct httphead *);
/* authd has said yes. 1: it goes on; 0: answered, for another reason. */
int	internal_granted(struct proxy *);

#endif
