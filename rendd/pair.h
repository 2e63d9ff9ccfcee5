/* SPDX-License-Identifier: ISC */
#ifndef PAIR_H
#define PAIR_H

#include <stdint.h>

struct leg;

/*
 * Who sits where, and what happens to the other when one goes. The slots of a
 * session are one table; attach, pairing and detach happen here alone, one
 * after the other. rendezvous-protocol.md, section 6.
 */

/* A connection: asks authd where it belongs. */
void	pair_arrive(struct leg *, uint64_t nonce);
/* It was heard, or has taken bytes: who knocks at its slot goes. */
void	pair_alive(struct leg *);
/* Two seconds without: who knocks sits down. */
void	pair_knock_over(struct leg *);
/* The ends, before anything is closed: its slot is free, the other is told. */
void	pair_closed(struct leg *);		/* it has sent a close */
void	pair_lost(struct leg *, const char *);	/* it has gone without one */
/* The same: 1, if it keeps its slot for a while, as it may come back. */
int	pair_away(struct leg *, const char *why);
void	pair_fault(struct leg *);		/* it broke a rule */
void	pair_late(struct leg *);		/* nobody came */
void	pair_stalled(struct leg *);		/* it takes nothing */
/* It is freed. */
void	pair_gone(struct leg *);
/* So many bytes of it have been read for the other. */
void	pair_count(const struct leg *, uint64_t bytes);
/* Everybody: the session is over, or relayd stops; then the process ends. */
void	pair_close_all(uint16_t code, const char *reason);
/* A new authd hears who is here. */
void	pair_announce(void);
/* Before the loop. */
void	pair_init(void);

#endif
