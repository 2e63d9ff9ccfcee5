/* SPDX-License-Identifier: ISC */
/*
 * A report of users: what was written once is written again unchanged, and can
 * be merged with itself.
 */
#include "muxd/users.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char	*why = NULL;
	char		*once, *twice, *both;
	size_t		 once_len, twice_len, both_len;
	int		 good, again;

	once = users_rewrite((const char *)data, len, &once_len, &good, &why);
	if (once == NULL) {
		if (why == NULL)
			abort();
		return (0);
	}
	if (once_len > USERS_BYTES_MAX || once_len != strlen(once))
		abort();
	twice = users_rewrite(once, once_len, &twice_len, &again, &why);
	if (twice == NULL || twice_len != once_len || good != again ||
	    memcmp(once, twice, once_len) != 0)
		abort();
	both = users_merge(once, once_len, twice, twice_len, &both_len);
	if (both == NULL || both_len > once_len)
		abort();
	free(once);
	free(twice);
	free(both);
	return (0);
}
