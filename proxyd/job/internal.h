/* SPDX-License-Identifier: ISC */
#ifndef INTERNAL_H
#define INTERNAL_H

struct conn;
struct httphead;

void	internal_init(void);
/* A request for a service on an internal listener. */
void	internal_begin(struct conn *, const struct httphead *);

#endif
