/* SPDX-License-Identifier: ISC */
#ifndef TCP_H
#define TCP_H

#include <stddef.h>
#include <stdint.h>

/*
 * The bytes of one service: the operator's WebSocket on one side, on the other
 * a stream. There is one per process, so the functions name no object; they are
 * those of proc/visit.h. operator-api.md, 6.5.
 *
 * One buffer each way, and none is filled before it is empty: whoever does not
 * take its bytes stops the other, and nothing here grows.
 */

/* A subprotocol: the operator knows what an empty text message is. */
#define TCP_HALF_CLOSE	"half-close"

int	tcp_operator(int fd, const char *accept, const uint8_t *bytes,
	    size_t len);
/* The 101 follows when the client has said OK; else its ERROR as a 502. */
void	tcp_stream(int fd, uint32_t idle_s);
void	tcp_refuse(int status, const char *message);
/*
 * The stream is let go of, END_* and `text` reported, and the process ends when
 * the operator has answered the close with `code`, or in 4 s. The first call
 * counts.
 */
void	tcp_close(uint16_t code, unsigned reason, const char *text);
/* How the stream has ended; of use once its bytes are read. */
void	tcp_over(unsigned why);
void	tcp_counters(uint64_t *in, uint64_t *out);

#endif
