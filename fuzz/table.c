/* SPDX-License-Identifier: ISC */
/*
 * The table that one relayd leaves to the next: whatever it is, it ends; and
 * what could be read of it is written and read again as the same.
 */
#include <stdlib.h>
#include <string.h>

#include "relayd/table.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct table_record	 r, again;
	struct table_put	 t = { .p = NULL };
	struct table_get	 g;
	const char		*why;
	size_t			 n = 0;

	if (table_open(&g, data, len, &why) == -1)
		return (0);
	while (table_next(&g, &r, &why) == 1) {
		table_add(&t, &r);
		n++;
	}
	if (table_end(&t) == -1 ||
	    table_open(&g, t.p, t.len, &why) == -1)
		abort();
	for (; n > 0; n--)
		if (table_next(&g, &again, &why) != 1)
			abort();
	if (table_next(&g, &again, &why) != 0)
		abort();
	free(t.p);
	return (0);
}
