/* SPDX-License-Identifier: ISC */
#ifndef TICKETS_H
#define TICKETS_H

#include <openssl/ssl.h>

/*
 * Session tickets (RFC 5077; RFC 8446, 4.6.1), with the keys that keyd has made
 * for all tlsds. Without any there are no tickets.
 */

struct chan;
struct imsg;

/* From keyd: TICKET_KEYS. */
int	tickets_on_keys(struct chan *, struct imsg *);
/* The contexts that begin connections seal and open tickets with them. */
int	tickets_setup(SSL_CTX *);

#endif
