/* SPDX-License-Identifier: ISC */
#ifndef PASSEDON_H
#define PASSEDON_H

#include <stddef.h>

/*
 * A service's chunked body as proxyd passes it on to HTTP/1.1: flow.h and
 * stage.h in the order of down.c, without sockets.
 */
struct passedon {
	char	*out;		/* the caller's, PASSEDON_ROOM(len) bytes */
	size_t	 len;
	int	 done, odd;
};
/* Each byte of it may become a chunk. */
#define PASSEDON_ROOM(len)	((len) * 12 + 64)

/*
 * `len` bytes in pieces of `step`, behind which the connection `ends` or not.
 * 0, or -1: malformed; what had gone out is there.
 */
int	passedon(struct passedon *, const char *body, size_t len, size_t step,
	    int ends);
/* Are these chunks strict? 1: and whole, 0: not whole, -1: they are not. */
int	passedon_is_strict(const char *, size_t len);

#endif
