/* SPDX-License-Identifier: ISC */
#ifndef TERMINAL_H
#define TERMINAL_H

#include "session.h"
#include "stream.h"

/* A terminal: a row of its own, a termd of its own, no grant. */
extern const struct stream_kind	stream_terminal;

/*
 * Its termd is there. Its instance is who asks; the asker is answered, unless
 * this returns a refusal; else *id is the stream. The session must have a
 * tunnel.
 */
enum refusal	terminal_open(const struct asker *termd, struct session *,
		    const struct operator *, const char *addr, uint64_t *id,
		    const struct now *);

#endif
