/* SPDX-License-Identifier: ISC */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <stddef.h>
#include <stdint.h>

/*
 * The first byte of what a browser and we say to each other: operator-api.md,
 * 6.
 */
enum frame_type { FRAME_DATA, FRAME_RESIZE, FRAME_RESERVED, FRAME_ERROR,
    FRAME_STATUS, FRAME_ACK, FRAME_HELLO, FRAME_STAY };

enum message {
	MESSAGE_TYPED,		/* for the shell: what follows the type */
	MESSAGE_SIZE_IS,	/* JSON follows, not looked at */
	MESSAGE_DRAWN,		/* *drawn is how much, in all */
	MESSAGE_STAY,		/* the operator is there */
	MESSAGE_WRONG		/* ends the terminal; *why is what it hears */
};

/* A message that is not empty. `lasts`: it has the types of 6.6, too. Pure. */
enum message message_read(const uint8_t *, size_t, int lasts, uint64_t *drawn,
		    const char **why);

#endif
