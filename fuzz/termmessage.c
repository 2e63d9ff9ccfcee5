/* SPDX-License-Identifier: ISC */
/*
 * A browser's message to a terminal, by its type: without the subprotocol only
 * what is typed and a size pass, a count is the eight bytes it came in, and who
 * is wrong hears why.
 */
#include "termd/message.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char	*why = NULL;
	uint64_t	 drawn = 0;
	enum message	 m;
	int		 lasts;

	if (len < 2)
		return (0);
	lasts = *data++ & 1;
	len--;
	m = message_read(data, len, lasts, &drawn, &why);
	if ((m == MESSAGE_WRONG) != (why != NULL))
		abort();
	if (!lasts && (m == MESSAGE_DRAWN || m == MESSAGE_STAY))
		abort();
	if (m == MESSAGE_DRAWN && (len != 9 || (uint8_t)drawn != data[8] ||
	    (uint8_t)(drawn >> 56) != data[1]))
		abort();
	if (m == MESSAGE_TYPED && data[0] != FRAME_DATA)
		abort();
	if (m == MESSAGE_SIZE_IS && len > 256)
		abort();
	return (0);
}
