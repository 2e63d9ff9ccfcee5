/* SPDX-License-Identifier: ISC */
#ifndef PAIRING_H
#define PAIRING_H

#include <stdint.h>

#include "authd/after.h"
#include "imsg/msg.h"

struct consumed_row;
struct peer;

/*
 * What authd knows of pairing: where paird is, how many it has, and which
 * tokens have been used. pairing-protocol.md; messages.md, section 1.
 */

/* Once; how to be called behind a turn's commit. */
void		pairing_init(after_fn);
/* The instance that one more connection may go to; 0: none may. */
uint64_t	pairing_place(void);
/* What there is now. 0, or -1: paird is not here. */
int	pairing_is(struct msg_pair_state *);
/* Devices are to meet elsewhere: who is here is asked to go. */
void		pairing_leave(void);
/* A proxyd has come: how many sessions there are. */
void	pairing_tell(const struct peer *);
/* A used token of the store, at the start, oldest first. 0, or -1. */
int	pairing_load(const struct consumed_row *);
/* The store says that a token which is being taken was used before. */
void	pairing_taken(const char *id);
/* A process has ended. */
void	pairing_gone(const struct peer *);

#endif
