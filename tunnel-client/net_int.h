/* SPDX-License-Identifier: ISC */
#ifndef NET_INT_H
#define NET_INT_H

struct event_base;

/* resolve.c for dial.c, which has net_init(); nobody else includes this. */
void	net_resolver_init(struct event_base *);
void	net_resolver_clear(void);

#endif
