/* SPDX-License-Identifier: ISC */
#ifndef SHELL_H
#define SHELL_H

#include <stddef.h>
#include <stdint.h>

/*
 * The stream to a shell at a customer's: the client's reply line, then frames
 * with a length before each (tunnel-protocol.md, 5.3). There is one per
 * process.
 */
struct shell_ops {
	/* Output, borrowed. */
	void	(*shown)(const uint8_t *, size_t);
	/*
	 * Behind all that came at once: so many bytes; 0: it takes more again.
	 */
	void	(*moved)(size_t);
	/* A WebSocket's code, an END_*, what the operator reads or NULL. */
	void	(*ended)(uint16_t code, unsigned reason, const char *text);
};

/* `fd` is owned; a frame has `max` bytes at most, 64 KiB whatever is said. */
void	shell_begin(int fd, size_t max, const struct shell_ops *);
/*
 * One frame, or as many as it takes: what was pasted may be longer. It goes
 * with shell_flush(). 0; -1: no memory.
 */
int	shell_send(uint8_t type, const uint8_t *, size_t);
void	shell_flush(void);
/* What waits to be written. */
size_t	shell_left(void);
/* Is it read? At first it is not. */
void	shell_reading(int);
/* How the shell has ended, in our words; or "". */
const char *shell_status(void);
/* Let go of it, and wipe what is here. */
void	shell_close(void);

#endif
