/* SPDX-License-Identifier: ISC */
#ifndef LISTEN_H
#define LISTEN_H

#include <stdint.h>

struct addr;
struct conn;
struct httphead;

/* Between listen.c and conn.c; what others may call is in conn.h. */

/* A connection was accepted and let in; fd is taken. */
void	conn_new(int fd, uint32_t flags, const struct addr *, int trusted);
/* One more (1) or less (-1) whose head is not there yet. */
void	listen_unclassified(const struct conn *, int n);
/* Set c->addr: the peer, or whom a trusted proxy names. */
void	listen_forwarded(struct conn *, const struct httphead *);
void	listen_stop(void);
/* Connections that are open. */
unsigned long	conn_count(void);

#endif
