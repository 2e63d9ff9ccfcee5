/* SPDX-License-Identifier: ISC */
#ifndef TURN_H
#define TURN_H

/*
 * All writes of one turn of the event loop are one transaction. Whatever
 * depends on a write is said after the commit: nothing leaves on a promise.
 */

/*
 * Call fn(arg, ok) at the end of this turn: ok tells whether everything that
 * was written in it is in the store. Called at once with 0 when out of memory.
 * fn may write and call turn_after() again.
 */
void	turn_after(void (*fn)(void *arg, int ok), void *arg);

/* proc_after_turn() gets this. */
void	turn_end(void);

#endif
