/* SPDX-License-Identifier: ISC */
#ifndef CONNECT_H
#define CONNECT_H

#include <stddef.h>
#include <stdint.h>

struct stream;

/*
 * A kind of stream, see struct stream_kinds: it takes the stream over, `p` is
 * what came behind the first line. tunnel-protocol.md, 5.2.
 */
/* CONNECT: the bytes of a service, looked up by its name. */
void	connect_start(struct stream *, const char *service, const uint8_t *p,
	    size_t len);

#endif
