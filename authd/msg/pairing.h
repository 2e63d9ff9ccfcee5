/* SPDX-License-Identifier: ISC */
#ifndef PAIRING_H
#define PAIRING_H

#include <stdint.h>

struct asker;
struct peer;

/*
 * What authd knows of pairing: where paird is, how many it has, and which tokens
 * have been used. pairing-protocol.md; messages.md, section 1.
 */

/* A connection for it: ADMIT, which is answered. */
void	pairing_ask(const struct asker *, uint64_t proxyd, const char *addr);
/* A proxyd has come: how many sessions there are. */
void	pairing_tell(const struct peer *);
/* A process has ended. */
void	pairing_gone(const struct peer *);

#endif
