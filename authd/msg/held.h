/* SPDX-License-Identifier: ISC */
#ifndef HELD_H
#define HELD_H

struct effect;

/*
 * The store says that others have taken what we have, or that we are gone: of
 * these sessions it is asked who has them. Ours are ours again, the rest go.
 */
void	held_losses(void);
void	run_taken(const struct effect *);

#endif
