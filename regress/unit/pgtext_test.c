/* SPDX-License-Identifier: ISC */
/* Statements as PostgreSQL says them, and values as it takes them. */
#include <stdint.h>

#include "authd/store/pg/dialect.h"
#include "authd/store/pg/param.h"
#include "authd/store/store.h"
#include "base/compat.h"
#include "regress/lib/tap.h"

static void
says(const char *sql, const char *want)
{
	char	dst[512];
	int	r = dialect_pg(sql, dst, sizeof(dst));

	if (!ok(r == 0 && strcmp(dst, want) == 0, "%s", sql))
		diag("got %s", dst);
}

static void
test_dialect(void)
{
	says("", "");
	says("SELECT 1", "SELECT 1");
	says("VALUES (?, ?, ?)", "VALUES ($1, $2, $3)");
	says("a = ?1 AND b = ?2 AND c = ?12", "a = $1 AND b = $2 AND c = $12");
	says("a = '?' AND b = ?", "a = '?' AND b = $1");
	says("'it''s ?' || ?", "'it''s ?' || $1");
	says("'ifnull(' || ifnull(a, '')", "'ifnull(' || coalesce(a, '')");
	says("a CROSS JOIN b", "a JOIN b");
	says("FROM s INDEXED BY support_sessions_open WHERE",
	    "FROM s WHERE");
	says("char(10)", "chr(10)");
	says("LIMIT -1 OFFSET ?3", "OFFSET $3");
	says("LIMIT 1", "LIMIT 1");
}

static void
test_room(void)
{
	char	dst[64], sql[64];
	size_t	size;
	int	r, wrong = 0;

	snprintf(sql, sizeof(sql), "ifnull(?, ifnull(?, ?))");
	for (size = 0; size < sizeof(dst); size++) {
		memset(dst, 'x', sizeof(dst));
		r = dialect_pg(sql, dst, size);
		wrong += r == 0 && (strcmp(dst,
		    "coalesce($1, coalesce($2, $3))") != 0 ||
		    strlen(dst) >= size);
		wrong += dst[sizeof(dst) - 1] != 'x' && size < sizeof(dst);
	}
	is_int(wrong, 0, "what does not fit is said, and not cut");
	is_int(dialect_pg(sql, dst, sizeof(dst)), 0, "this does");
}

static void
becomes(const char *text, const char *want)
{
	struct params	*p = params_of("T", text);

	if (!ok(p != NULL && strcmp(p->value[0], want) == 0,
	    "a text that a server takes: %s", want) && p != NULL)
		diag("got %s", p->value[0]);
	params_free(p);
}

static void
test_texts(void)
{
	becomes("plain", "plain");
	becomes("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
	    "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
	becomes("a\xff" "b", "a?b");
	becomes("\xc0\x80", "??");		/* overlong */
	becomes("\xe0\x80\x80", "???");
	becomes("\xf0\x80\x80\x80", "????");
	becomes("\xed\xa0\x80", "???");		/* half of a pair */
	becomes("\xf4\x90\x80\x80", "????");	/* behind the last */
	becomes("\xc3", "?");
	becomes("\xe2\x82", "??");
	becomes("\xf0\x9f\x98", "???");
	becomes("\xc3(", "?(");
}

static void
test_values(void)
{
	static const uint8_t	bytes[] = { 0, 1, 0xff };
	struct params		*p = params_of("tTtjbunUi", "", "", "x", "a\0b",
				    (size_t)3, bytes, sizeof(bytes),
				    (int64_t)AUDIT_UNSAID, -7,
				    "11111111-1111-4111-8111-111111111111",
				    INT64_MIN);

	ok(p != NULL && p->n == 9, "nine values");
	ok(p->value[0] == NULL, "an empty text can be none");
	ok(p->value[1] != NULL && p->value[1][0] == '\0', "or one");
	ok(strcmp(p->value[2], "x") == 0 && p->type[2] == 25, "a text");
	ok(p->length[3] == 3 && memcmp(p->value[3], "a?b", 4) == 0,
	    "NUL is none in a text");
	ok(p->format[4] == 1 && p->type[4] == 17 && p->length[4] == 3 &&
	    memcmp(p->value[4], bytes, 3) == 0, "bytes are as they are");
	ok(p->value[5] == NULL && p->type[5] == 20, "an unsaid number");
	ok(strcmp(p->value[6], "-7") == 0 && p->type[6] == 23, "a number");
	ok(p->type[7] == 2950, "a UUID");
	ok(strcmp(p->value[8], "-9223372036854775808") == 0, "a long one");
	params_free(p);
}

static void
test_limits(void)
{
	struct params	*p = params_of("nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn", 1, 2,
			    3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
			    17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29,
			    30, 31, 32);

	ok(p != NULL && p->n == PARAMS_MAX && strcmp(p->value[31], "32") == 0,
	    "%d values", PARAMS_MAX);
	params_free(p);
	ok(params_of("nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn", 1, 2, 3, 4, 5, 6, 7, 8,
	    9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25,
	    26, 27, 28, 29, 30, 31, 32, 33) == NULL, "and not one more");
	ok(params_of("nx", 1, 2) == NULL, "nor a letter that is none");
	p = params_of("");
	ok(p != NULL && p->n == 0, "there may be none");
	params_free(p);
}

int
main(void)
{
	test_dialect();
	test_room();
	test_texts();
	test_values();
	test_limits();
	done_testing();
	return (tap_status());
}
