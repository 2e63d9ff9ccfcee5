/* SPDX-License-Identifier: ISC */
#ifndef COMMAND_H
#define COMMAND_H

#include <stddef.h>
#include <stdint.h>

struct stream;

/*
 * A kind of stream, see struct stream_kinds: it takes the stream over, `p` is
 * what came behind the first line. tunnel-protocol.md, 5.4.
 */
/* COMMAND: one request of the server's, one answer. */
void	command_start(struct stream *, const char *version, const uint8_t *p,
	    size_t len);

#endif
