/* SPDX-License-Identifier: ISC */
#ifndef TURN_H
#define TURN_H

/*
 * All writes of one turn of the event loop are one transaction. Whatever
 * depends on a write is said after the commit: nothing leaves on a promise.
 */

void	turn_init(void);

/*
 * Call fn(arg, ok) after the commit of this turn: ok tells whether everything
 * that was written in it is in the store. Called at once with 0 when out of
 * memory. fn may write and call turn_after() again.
 */
void	turn_after(void (*fn)(void *arg, int ok), void *arg);

/*
 * Hand the store what changed in the tables so far: a question that counts or
 * lists rows sees it then.
 */
void	turn_flush(void);

/* proc_after_turn() gets this: endings, effects, the commit, what follows. */
void	turn_end(void);
/* How many have ended. */
unsigned long	turn_count(void);
/* The last one: what is still to be written is written when it returns. */
void	turn_last(void);

#endif
