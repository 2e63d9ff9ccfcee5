/* SPDX-License-Identifier: ISC */
#ifndef SIGNALS_H
#define SIGNALS_H

struct event_base;

/*
 * Signals are read from a descriptor (signalfd(2)) and blocked all the time:
 * one that comes while the program is exchanged waits in the kernel for whoever
 * reads next, be it the new program or the old one again.
 */

/* Block those that we read, and no others. Safe in a signal handler. */
void	signals_block(void);
/* From now on `fn` is called for each. Fatal on failure. */
void	signals_init(struct event_base *, void (*fn)(int));
void	signals_clear(void);

#endif
