/* SPDX-License-Identifier: ISC */
/*
 * A request to metricd, whole and byte by byte: the same is understood, and
 * once something is, it is no "more".
 */
#include "metricd/request.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct request	r;
	enum request_what	whole, by_byte = REQUEST_INCOMPLETE;
	struct slice		v = { (const char *)data, len };
	size_t			i;

	(void)request_accepts(&v);
	if (len > sizeof(r.buf))
		len = sizeof(r.buf);
	memset(&r, 0, sizeof(r));
	memcpy(r.buf, data, len);
	r.len = len;
	whole = request_read(&r);
	memset(&r, 0, sizeof(r));
	for (i = 0; i < len && by_byte == REQUEST_INCOMPLETE; i++) {
		r.buf[r.len++] = (char)data[i];
		by_byte = request_read(&r);
	}
	/* A head that is refused early may have become too long. */
	if (by_byte != whole && !(by_byte >= REQUEST_TOO_LONG &&
	    whole >= REQUEST_TOO_LONG))
		abort();
	return (0);
}
