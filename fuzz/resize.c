/* SPDX-License-Identifier: ISC */
/*
 * A browser's resize message: what passes is small, and passes again as it is.
 */
#include <stdio.h>

#include "termd/resize.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char		once[RESIZE_TEXT], twice[RESIZE_TEXT];
	size_t		n = resize_clamp(data, len, once);
	unsigned	cols, rows;

	if (n == 0)
		return (0);
	if (n >= RESIZE_TEXT || sscanf(once, "{\"cols\":%u,\"rows\":%u}", &cols,
	    &rows) != 2 || cols < 1 || cols > RESIZE_SIZE_MAX || rows < 1 ||
	    rows > RESIZE_SIZE_MAX)
		abort();
	if (resize_clamp((uint8_t *)once, n, twice) != n ||
	    memcmp(once, twice, n) != 0)
		abort();
	return (0);
}
