/* SPDX-License-Identifier: ISC */
#ifndef ESCAPE_H
#define ESCAPE_H

#include <stddef.h>
#include <stdint.h>

/*
 * What is typed for relay itself: behind the escape character, which counts at
 * the begin of a line alone. As ssh(1) has it. Pure.
 */

#define ESCAPE_CHAR	'~'
#define ESCAPE_NONE	(-1)

struct escape {
	int	ch;		/* ESCAPE_NONE: there is none */
	int	midway;		/* within a line */
	int	seen;		/* ch has come, and was not passed on */
};

enum escaped {
	ESCAPED_NOT,		/* all was looked at */
	ESCAPED_LEAVE,		/* . */
	ESCAPED_STOP,		/* ^Z */
	ESCAPED_HELP		/* ? */
};

/*
 * Look at what was typed, up to one that is for relay: *used bytes. What is to
 * be passed on comes to `out`, *n bytes, one more than `len` at most.
 */
enum escaped	escape_take(struct escape *, const uint8_t *in, size_t len,
		    size_t *used, uint8_t *out, size_t *n);

/* "~", "^]", "none" as in an option: 0, or -1: it is none of these. */
int		escape_parse(struct escape *, const char *);

#endif
