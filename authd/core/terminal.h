/* SPDX-License-Identifier: ISC */
#ifndef TERMINAL_H
#define TERMINAL_H

#include "session.h"
#include "stream.h"

/*
 * Terminals and TCP: a row of its own, a worker of its own (termd, tcpd), no
 * grant.
 */
extern const struct stream_kind	stream_terminal, stream_tcp;

/* Which of them: SERVICE_TERMINAL is the one, any other service the other. */
const struct stream_kind	*terminal_kind(const char *service);

/*
 * Its worker is there. Its instance is who asks; the asker is answered, unless
 * this returns a refusal; else *id is the stream. The session must have a
 * tunnel.
 */
enum refusal	terminal_open(const struct asker *worker, struct session *,
		    const char *service, const struct operator *,
		    const char *addr, uint64_t *id, const struct now *);

#endif
