/* SPDX-License-Identifier: ISC */
#ifndef FUZZ_HEARD_H
#define FUZZ_HEARD_H

#include <sys/types.h>

#include <stddef.h>

#include "http/head.h"

/*
 * What one side of a play with proxyd has got, and how a strict reader takes
 * it.
 */
#define HEARD_MAX	(1 << 20)

struct heard {
	char	*bytes;			/* HEARD_MAX of them */
	size_t	 len;
	int	 ended;
};

/* Take what is there; -1 for fd: nothing. */
void	heard_listen(int fd, struct heard *);
/*
 * The head of the next answer to a request of that method, behind interim ones:
 * 1, and *at is behind it; 0: it is cut, or still to come; -1: it is none.
 */
int	heard_answer(const struct heard *, size_t *at, int method,
	    struct httphead *);
/*
 * The body behind this head: its bytes, with *whole; -1: it is not framed as
 * announced.
 */
ssize_t	heard_body(const struct httphead *, const char *, size_t len, int ended,
	    int *whole);
/* Say it, as much as goes; -1 for fd: nothing. */
void	heard_say(int fd, const void *, size_t len);

#endif
