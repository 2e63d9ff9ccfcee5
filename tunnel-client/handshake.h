/* SPDX-License-Identifier: ISC */
#ifndef HANDSHAKE_H
#define HANDSHAKE_H

#include <stddef.h>
#include <stdint.h>

#include "net/net.h"
#include "net/proxy.h"
#include "net/url.h"

/*
 * From an address to an upgraded connection: TCP, TLS, request, 101, all of
 * it in 10 s, to which a forward proxy may add its own. tunnel-protocol.md, 1.2
 * and 6.4.
 */

#define HANDSHAKE_MS	10000
#define TOKEN_SIZE	65		/* 64 hex digits and a NUL */
#define REASON_SIZE	1024

struct handshake_result {
	struct sock	 sock;		/* fd -1: it failed, see `why` */
	uint8_t		*early;		/* bytes that came behind the head; */
	size_t		 early_len;	/* valid during the call */
	int		 status;	/* 0: no answer */
	uint64_t	 retry_after_ms;	/* 0: not said */
	char		 token[TOKEN_SIZE];	/* "" none */
	char		 session[64];	/* printable, for the log; may be "" */
	int		 terminal_status;	/* it takes a shell's end: 5.3 */
	int		 half_close;	/* and half-closes, and says them */
	char		 why[REASON_SIZE];	/* printable */
};

struct handshake;
typedef void	(*handshake_fn)(void *, const struct handshake_result *);

/*
 * Begin. The address is borrowed until the end. `token` "" is none. A proxy (borrowed; NULL none) is for wss:// only.
 * `asked` is called when the request leaves, at most once: there is nothing to do
 * until the answer comes. `fn` is called once, never before this returns; the
 * handshake is gone by then. NULL when out of memory.
 */
struct handshake *handshake_start(const struct url *, const struct proxy *,
	    const char *node, const char *token, const char *key,
	    const char *secret, void (*asked)(void), handshake_fn, void *);
void	handshake_cancel(struct handshake *);

/* Retry-After: seconds or a date. Milliseconds, 0 if it cannot be read. */
uint64_t	retry_after_parse(const char *, size_t len, int64_t now);

#endif
