/* SPDX-License-Identifier: ISC */
#ifndef BRIDGE_H
#define BRIDGE_H

#include <stddef.h>
#include <stdint.h>

#include "net/net.h"
#include "stream.h"

/*
 * Bytes both ways between a stream and a descriptor: a target's socket or a
 * terminal's master side. Each side is read only while the other has room.
 */

struct bridge;

#define BRIDGE_FAREWELL	256

struct bridge_how {
	/* Bytes from the server, instead of writing them: bridge_deliver(). */
	void	(*filter)(void *arg, struct bridge *, const uint8_t *, size_t);
	/*
	 * A header of `head` bytes before each piece of up to `max` bytes that
	 * is read. 0 and 0: none, any size.
	 */
	size_t	  head, max;
	void	(*header)(uint8_t *, size_t len);
	/* The first side that ends, ends the other. */
	int	  together;
	/*
	 * The descriptor has said its last. 1: FIN goes out; 0: bridge_ended()
	 * will be called when what stands before it is known. NULL: 1.
	 */
	int	(*ending)(void *arg, struct bridge *);
	/*
	 * The customer ends it: what the server is told, as bytes of the stream
	 * in `out`, at most BRIDGE_FAREWELL; their number. NULL: RST.
	 */
	size_t	(*farewell)(uint8_t *out, const char *why);
	/* The bridge is gone. */
	void	(*gone)(void *arg);
	void	 *arg;
};

/*
 * Take over the stream and *c. `how` is copied; NULL: plain copying. 0, or -1
 * when out of memory: nothing has been taken.
 */
int	bridge_start(struct stream *, struct sock *, const struct bridge_how *);

/* Those whose stream is over, and that still write what was said on it, end. */
void	bridges_withdraw(void);
/*
 * Does the server know how long a half-closed stream may idle? If not, a
 * minute.
 */
void	bridges_negotiated(int);

/* From the filter: write to the descriptor; credit goes back when written. */
void	bridge_deliver(struct bridge *, const uint8_t *, size_t);
/* From the filter: these were headers, and are consumed. */
void	bridge_consumed(struct bridge *, size_t);
int	bridge_fd(const struct bridge *);
/* From the filter: RST, once this read is through. */
void	bridge_refuse(struct bridge *);
/* After ending() has returned 0: FIN. The bridge may be gone. */
void	bridge_ended(struct bridge *);
/* From ending(), or before bridge_ended(): said to the server, in order. */
void	bridge_say(struct bridge *, const uint8_t *, size_t);
/* The descriptor will say no more once it has been read empty. */
void	bridge_finish(struct bridge *);

#endif
