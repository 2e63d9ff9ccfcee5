/* SPDX-License-Identifier: ISC */
/*
 * The stand-ins of common/base/compat.c, or the system's own where it has them.
 */

#include <errno.h>
#include <limits.h>
#include <stdint.h>

#include "base/compat.h"
#include "regress/lib/tap.h"

static void
test_strl(void)
{
	char	 buf[8];

	memset(buf, 'x', sizeof(buf));
	is_int(strlcpy(buf, "abc", sizeof(buf)), 3, "strlcpy: fits");
	is_str(buf, "abc", "strlcpy: copied");
	is_int(strlcpy(buf, "abcdefg", sizeof(buf)), 7, "strlcpy: just fits");
	is_int(strlcpy(buf, "abcdefgh", sizeof(buf)), 8, "strlcpy: cut");
	is_str(buf, "abcdefg", "strlcpy: cut copy ends");
	buf[0] = 'q';
	is_int(strlcpy(buf, "abc", 0), 3, "strlcpy: size 0");
	is_int(buf[0], 'q', "strlcpy: size 0 writes nothing");

	strlcpy(buf, "ab", sizeof(buf));
	is_int(strlcat(buf, "cd", sizeof(buf)), 4, "strlcat: fits");
	is_str(buf, "abcd", "strlcat: appended");
	is_int(strlcat(buf, "efgh", sizeof(buf)), 8, "strlcat: cut");
	is_str(buf, "abcdefg", "strlcat: cut copy ends");
	memset(buf, 'x', sizeof(buf));
	is_int(strlcat(buf, "y", 4), 5, "strlcat: no NUL within size");
	is_int(buf[4], 'x', "strlcat: nothing written beyond size");
}

static void
test_strtonum(void)
{
	static const struct {
		const char	*s;
		long long	 min, max, want;
		const char	*errstr;
	} rows[] = {
		{ "0", 0, 10, 0, NULL },
		{ "10", 0, 10, 10, NULL },
		{ "11", 0, 10, 0, "too large" },
		{ "-1", 0, 10, 0, "too small" },
		{ "-1", -1, 10, -1, NULL },
		{ "", 0, 10, 0, "invalid" },
		{ "5x", 0, 10, 0, "invalid" },
		{ "x", 0, 10, 0, "invalid" },
		{ "1", 10, 0, 0, "invalid" },
		{ "9223372036854775807", 0, LLONG_MAX, LLONG_MAX, NULL },
		{ "9223372036854775808", 0, LLONG_MAX, 0, "too large" },
		{ "-9223372036854775809", LLONG_MIN, 0, 0, "too small" },
	};
	const char	*errstr;
	size_t		 i;
	long long	 n;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		errno = EBUSY;
		n = strtonum(rows[i].s, rows[i].min, rows[i].max, &errstr);
		is_int(n, rows[i].want, "strtonum(\"%s\")", rows[i].s);
		is_str(errstr, rows[i].errstr, "strtonum(\"%s\"): error",
		    rows[i].s);
		if (rows[i].errstr == NULL)
			is_int(errno, EBUSY, "strtonum: errno survives");
	}
}

static void
test_alloc(void)
{
	unsigned char	*p, *q;
	/* Hidden from the compiler, which warns of sizes it can see. */
	volatile size_t	 huge = SIZE_MAX / 2;
	int		 i, zero = 1;

	p = reallocarray(NULL, huge, 4);
	ok(p == NULL && errno == ENOMEM, "reallocarray: overflow refused");
	free(p);

	p = recallocarray(NULL, 0, 4, 4);
	if (p == NULL)
		bail_out("no memory");
	memset(p, 7, 16);
	q = recallocarray(p, 4, huge, 4);
	ok(q == NULL && errno == ENOMEM, "recallocarray: overflow refused");
	is_int(p[15], 7, "recallocarray: old array untouched");
	if ((q = recallocarray(p, 4, 8, 4)) == NULL)
		bail_out("no memory");
	for (i = 16; i < 32; i++)
		zero &= q[i] == 0;
	ok(zero && q[0] == 7 && q[15] == 7, "recallocarray: grown, rest zero");
	if ((p = recallocarray(q, 8, 2, 4)) == NULL)
		bail_out("no memory");
	is_int(p[7], 7, "recallocarray: shrunk");
	freezero(p, 8);
	freezero(NULL, 8);
}

int
main(void)
{
	test_strl();
	test_strtonum();
	test_alloc();
	return (done_testing());
}
