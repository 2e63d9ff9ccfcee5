/* SPDX-License-Identifier: ISC */
#ifndef TERMINAL_H
#define TERMINAL_H

#include <stddef.h>
#include <stdint.h>

/*
 * One operator's terminal: the browser's WebSocket on one side, on the other a
 * stream that carries the frames of tunnel-protocol.md 5.3. There is one per
 * process, so the functions name no object. operator-api.md, 6.
 */

/*
 * The browser's connection (owned from here on), with the bytes already read
 * of it and the accept value for its handshake. The head is checked again: 0,
 * or -1 when it is no valid upgrade (already answered; the process ends).
 */
int	terminal_browser(int fd, const char *accept, const uint8_t *bytes,
	    size_t len);

/*
 * The stream's end (owned). Answers 101 and starts; call it after
 * terminal_browser() only. After a refusal it is closed and nothing happens.
 */
void	terminal_stream(int fd, uint32_t idle_s);

/*
 * Its operator is back on another connection (owned): what was shown last is
 * shown again, and who was there before hears 4001. One that does not speak the
 * subprotocol is answered 400.
 */
void	terminal_again(int fd, const char *accept, const uint8_t *bytes,
	    size_t len);

/* Answer before 101, and end. */
void	terminal_refuse(int status, const char *message);

/*
 * The one way a terminal ends: tell the browser (`text`, not NULL: a type 3
 * frame; then a WebSocket close), let go of the stream, report `reason`
 * (END_*) through visit_ended(), and exit when the browser has answered, or
 * takes nothing for 4 s, or after a minute. For a terminal that has begun
 * (terminal_stream()); only the first call counts. `code` 0: no close.
 */
void	terminal_close(uint16_t code, unsigned reason, const char *text);

void	terminal_counters(uint64_t *in, uint64_t *out);

#endif
