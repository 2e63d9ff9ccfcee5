/* SPDX-License-Identifier: ISC */
#ifndef SCREEN_H
#define SCREEN_H

#include <stddef.h>

/*
 * A whole terminal, drawn anew now and then: curses, which nobody else
 * includes. Standard input and output are the terminal's.
 */

/* 0, or -1: this terminal can do no such thing, and was left as it is. */
int	screen_open(void);
/* As it was before. Harmless when it is not open. */
void	screen_close(void);

/* It has got another size, or may have been written to by others. */
void	screen_resize(void);
void	screen_size(size_t *lines, size_t *columns);

/* Lines from the top: first begin, then each, then end shows them. */
void	screen_begin(void);
void	screen_line(int reverse, const char *);
void	screen_end(void);

/* A key that was typed: a character or one of these; KEY_GONE: no more. */
enum { SCREEN_NONE = -1, SCREEN_LEFT = -2, SCREEN_RIGHT = -3 };
int	screen_key(void);

#endif
