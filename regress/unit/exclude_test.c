/* SPDX-License-Identifier: ISC */
/* The globs of --exclude. */
#include "tunnel-client/client.h"
#include "regress/lib/tap.h"

static const struct {
	const char	*name, *patterns;
	int		 want;
} rows[] = {
	{ "web", "", 0 },
	{ "web", "web", 1 },
	{ "web", "we", 0 },
	{ "web", "w*", 1 },
	{ "web", "*", 1 },
	{ "web", "w?b", 1 },
	{ "web", "w??b", 0 },
	{ "web", "[uvw]eb", 1 },
	{ "web", "[!uvw]eb", 0 },
	{ "web", "[a-v]eb", 0 },
	{ "web", "ssh,web", 1 },
	{ "web", " ssh , w* ", 1 },
	{ "web", ",,", 0 },
	{ "a/b", "*", 0 },
	{ "a/b", "a/*", 1 },
	{ "a/b", "a?b", 0 },
	{ "WEB", "web", 0 },
	{ "w*b", "w\\*b", 1 },
	{ "web", "w\\*b", 0 },
	{ "web", "[", 0 },
};

int
main(void)
{
	size_t	i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		is_int(services_excluded(rows[i].name, rows[i].patterns),
		    rows[i].want, "%s by \"%s\"", rows[i].name,
		    rows[i].patterns);
	is_int(services_excluded("web", NULL), 0, "no patterns");
	return (done_testing());
}
