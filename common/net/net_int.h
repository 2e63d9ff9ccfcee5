/* SPDX-License-Identifier: ISC */
#ifndef NET_INT_H
#define NET_INT_H

#include "net.h"

struct event_base;

/* resolve.c for nettls.c, which has net_init(); nobody else calls these. */
void	net_resolver_init(struct event_base *);
void	net_resolver_clear(void);

/* nettls.c for dial.c: borrowed; NULL after a log line. */
SSL_CTX	*net_tls(enum dial_tls);

#endif
