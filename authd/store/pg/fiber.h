/* SPDX-License-Identifier: ISC */
#ifndef FIBER_H
#define FIBER_H

/*
 * A function with a stack of its own: it can stop in the middle, where an
 * answer has not come yet, and go on from there when it has. Questions are
 * written once, as if every answer were there, and are good for an engine that
 * has it at once and for one that has not. Nothing else may be done in one:
 * who is answered is called from the loop's stack.
 */
struct fiber;

/* NULL: no memory. It has not begun. */
struct fiber	*fiber_new(void (*fn)(void *), void *arg);
/* Until it waits, or is over: then 1, and it has gone. */
int		 fiber_run(struct fiber *);
/* In one: back to who ran it. */
void		 fiber_wait(void);
/* The one that runs, NULL: none. */
struct fiber	*fiber_now(void);

#endif
