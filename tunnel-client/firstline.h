/* SPDX-License-Identifier: ISC */
#ifndef FIRSTLINE_H
#define FIRSTLINE_H

#include <stddef.h>
#include <stdint.h>

/*
 * The first line of a stream that the server opened. Pure.
 * tunnel-protocol.md, 5.1.
 */

#define FIRSTLINE_MAX	1024		/* bytes before the newline */

struct firstline {
	char	text[FIRSTLINE_MAX + 1];
	size_t	len;
};

/*
 * Take bytes: `*used` of them belong to the line, its newline included.
 * Returns 1 when the line is complete, 0 when more has to come, -1 when it is
 * too long.
 */
int	firstline_feed(struct firstline *, const uint8_t *, size_t,
	    size_t *used);

enum firstline_kind {
	LINE_BAD,		/* close without a reply */
	LINE_CONNECT,		/* *rest: the service */
	LINE_TERMINAL,
	LINE_COMMAND		/* *rest: the version */
};

/*
 * What a complete line asks for; `*rest` points into it. A service with a NUL
 * in its name is LINE_BAD, as is one without a name.
 */
enum firstline_kind	firstline_kind(struct firstline *, const char **rest);

#endif
