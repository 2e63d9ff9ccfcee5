/* SPDX-License-Identifier: ISC */
#ifndef TTYLINE_H
#define TTYLINE_H

/*
 * When somebody watches: the last line of the terminal says how things are, and
 * the log runs above it.
 */

/* Begin, if standard error is a terminal. */
void	ttyline_start(void);
/* After each turn of the loop: show what has changed. */
void	ttyline_turn(void);
/* The line goes away. */
void	ttyline_stop(void);

#endif
