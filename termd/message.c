/* SPDX-License-Identifier: ISC */
#include "message.h"

#define RESIZE_MAX	256	/* bytes of a resize message */
#define ACK_SIZE	8

static enum message
acknowledged(const uint8_t *data, size_t len, uint64_t *drawn, const char **why)
{
	size_t	i;

	if (len != 1 + ACK_SIZE) {
		*why = "wrong acknowledgement";
		return (MESSAGE_WRONG);
	}
	*drawn = 0;
	for (i = 1; i < len; i++)
		*drawn = *drawn << 8 | data[i];
	return (MESSAGE_DRAWN);
}

enum message
message_read(const uint8_t *data, size_t len, int lasts, uint64_t *drawn,
    const char **why)
{
	if (lasts && data[0] == FRAME_ACK)
		return (acknowledged(data, len, drawn, why));
	if (lasts && data[0] == FRAME_STAY)
		return (MESSAGE_STAY);
	if (data[0] == FRAME_DATA)
		return (MESSAGE_TYPED);
	if (data[0] == FRAME_RESIZE && len <= RESIZE_MAX)
		return (MESSAGE_SIZE_IS);
	*why = data[0] == FRAME_RESIZE ? "resize message too long" :
	    "frame type not allowed";
	return (MESSAGE_WRONG);
}
