/* SPDX-License-Identifier: ISC */
/* Times that people give: until when consent lasts. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "tunnel-client/when.h"
#include "regress/lib/tap.h"

#define NOW	1796083200	/* 2026-12-01T00:00:00Z */

int
main(void)
{
	static const struct {
		const char	*text;
		int64_t		 from_now, alone;	/* -1: refused */
	} v[] = {
		{ "2h", NOW + 7200, -1 },
		{ "90m", NOW + 5400, -1 },
		{ "1h30m", NOW + 5400, -1 },
		{ "1s", NOW + 1, -1 },
		{ "0", NOW, -1 },
		{ "3d", NOW + 3 * 86400, -1 },
		{ "3660d", NOW + 3660LL * 86400, -1 },
		{ "3661d", -1, -1 },
		{ "99999999999999999999d", -1, -1 },
		{ "99999h", -1, -1 },
		{ "3days", -1, -1 },
		{ "-2h", -1, -1 },
		{ "2", -1, -1 },
		{ "", -1, -1 },
		{ "2026-12-01T00:00Z", NOW, NOW },
		{ "2026-12-01T00:00:00Z", NOW, NOW },
		{ "2026-12-01 18:30:09Z", NOW + 66609, NOW + 66609 },
		{ "2026-12-01T01:30+01:30", NOW, NOW },
		{ "2026-11-30T22:00-02:00", NOW, NOW },
		/* TZ is one hour east */
		{ "2026-12-01T01:00", NOW, NOW },
		{ "2026-12-01 01:00:07", NOW + 7, NOW + 7 },
		{ "2026-12-01", -1, -1 },
		{ "18:00", -1, -1 },
		{ "2026-12-01T", -1, -1 },
		{ "2026-12-01T18", -1, -1 },
		{ "2026-02-30T18:00Z", -1, -1 },
		{ "2026-02-30T18:00", -1, -1 },
		{ "2026-13-01T18:00Z", -1, -1 },
		{ "2026-12-01T25:00Z", -1, -1 },
		{ "2026-12-01T18:00X", -1, -1 },
		{ "2026-12-01T18:00Z ", -1, -1 },
		{ "2026-12-01T18:00+1:00", -1, -1 },
		{ "2026-12-01T18:00+0100", -1, -1 },
		{ "2026-12-01T18:00+", -1, -1 },
		{ "2026-12-01T18:00+01:", -1, -1 },
	};
	char	text[WHEN_SIZE];
	size_t	i;

	is_str(when_print(text, NOW), "2026-12-01T00:00:00Z", "a time for JSON");
	setenv("TZ", "EAST-1", 1);
	tzset();
	for (i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		is_int(when_parse(v[i].text, NOW), v[i].from_now, "\"%s\"",
		    v[i].text);
		is_int(when_parse(v[i].text, 0), v[i].alone,
		    "  with no time to count from");
	}
	return (done_testing());
}
