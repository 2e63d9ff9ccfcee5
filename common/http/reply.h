/* SPDX-License-Identifier: ISC */
#ifndef REPLY_H
#define REPLY_H

#include <stddef.h>
#include <stdint.h>

/* Enough for every reply below whose message fits MESSAGE_SIZE. */
#define REPLY_MAX	4096

/*
 * Write a whole HTTP/1.1 refusal that closes the connection, with the operator
 * API's envelope as its body: {"code":S,"message":"...","data":null}.
 * Retry-After is sent when `retry_after` (seconds) is not 0, X-Request-Id when
 * `request` is not ""; `extra` is one more header line without its line end, or
 * NULL. The message is escaped. Returns the length without NUL, or -1 when it
 * does not fit. operator-api.md, 1.2.
 */
long	reply_refusal(char *buf, size_t size, int status, const char *message,
	    uint32_t retry_after, const char *request, const char *extra);

/* The reason phrase of a status, never NULL. */
const char	*reply_reason(int status);

/*
 * Write `s` as the inside of a JSON string: quotes, backslashes and control
 * characters escaped, bytes that are not UTF-8 replaced. 0, or -1 when it does
 * not fit.
 */
int	reply_json_escape(char *dst, size_t size, const char *s);

#endif
