/* SPDX-License-Identifier: ISC */
#ifndef CERTS_H
#define CERTS_H

#include <openssl/ssl.h>

#include "imsg/msg.h"

/*
 * The certificates: which is shown to whom. What comes (CERT) is put aside
 * until certs_use(); index 0 begins anew.
 */

/* A file of the parent's (taken). 0, or -1: not what it may say. */
int	certs_take(int fd, const struct msg_cert *);
/* Would all that was put aside do? 0, or -1 with *why. */
int	certs_good(const char **why);
/* From now on, for new connections. */
void	certs_use(void);
/* A connection of the n-th listener; NULL: it has no certificate. */
SSL	*certs_begin(unsigned listener);
/* Does what was put aside say who signs the certificates of other members? */
int	certs_has_peers(void);
/*
 * One to another member, whose certificate has to name it; NULL: out of memory,
 * or that is not known.
 */
SSL	*certs_reach(const char *member);

#endif
