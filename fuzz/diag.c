/* SPDX-License-Identifier: ISC */
/* A diagnostics report: what was written once is written again unchanged. */
#include "muxd/diag.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char	*why = NULL;
	char		*once, *twice;
	size_t		 once_len, twice_len;

	once = diag_rewrite((const char *)data, len, &once_len, &why);
	if (once == NULL) {
		if (why == NULL)
			abort();
		return (0);
	}
	if (once_len > DIAG_BYTES_MAX || once_len != strlen(once))
		abort();
	twice = diag_rewrite(once, once_len, &twice_len, &why);
	if (twice == NULL || twice_len != once_len ||
	    memcmp(once, twice, once_len) != 0)
		abort();
	free(once);
	free(twice);
	return (0);
}
