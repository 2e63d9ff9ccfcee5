/* SPDX-License-Identifier: ISC */
/*
 * PROXY headers: what is whole is so at its last byte and not before, whatever
 * comes behind it; what is refused stays so.
 */
#include "fuzz.h"
#include "net/proxyhead.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct proxyhead	 h;
	const char		*why = NULL;
	long			 whole = proxyhead_parse(&h, data, len, &why);
	size_t			 i;

	if (whole > (long)len || whole > PROXYHEAD_MAX || whole < -1 ||
	    (whole == -1) != (why != NULL) ||
	    (whole == 0 && len >= PROXYHEAD_MAX))
		abort();
	if (h.ours != NULL && (whole > 0) && (h.ours < data ||
	    h.ours + h.ours_len > data + whole))
		abort();
	if (whole <= 0)
		return (0);
	if (proxyhead_parse(&h, data, (size_t)whole, &why) != whole)
		abort();
	for (i = 0; i < (size_t)whole; i++)
		if (proxyhead_parse(&h, data, i, &why) != 0)
			abort();
	return (0);
}
