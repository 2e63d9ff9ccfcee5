/* SPDX-License-Identifier: ISC */
#ifndef REASON_H
#define REASON_H

#include <stddef.h>

/*
 * Why an attempt to connect has failed, for who runs the client: in words, and
 * with what to do about it. Pure but for the names of proxies in `env`.
 */

/*
 * The server has answered something else than 101 to a request for `path`.
 * `phrase` (may be "") is printable; `body` is what came along with the head, from which the server's
 * own message is taken (tunnel-protocol.md, 1.5); `token`: a reconnect token
 * was sent.
 */
void	reason_answer(char *dst, size_t size, const char *path, int status,
	    const char *phrase, const char *body, size_t len, int token);

/*
 * No answer at all: what to do about `why`, a text of dial.c or via.c; "" is no
 * idea. `proxied`: a proxy was asked.
 */
const char *reason_hint(const char *why, int proxied);

#endif
