/* SPDX-License-Identifier: ISC */
#ifndef TERMINAL_H
#define TERMINAL_H

#include <stddef.h>
#include <stdint.h>

struct stream;

/*
 * A kind of stream, see struct stream_kinds: it takes the stream over, `p` is
 * what came behind the first line. tunnel-protocol.md, 5.3.
 */
/* TERMINAL: a login shell in frames. */
void	terminal_start(struct stream *, const uint8_t *p, size_t len);
/* Does this tunnel's server want to know how a shell has ended? */
void	terminal_negotiated(int status);

#endif
