/* SPDX-License-Identifier: ISC */
#ifndef PAIR_JSON_H
#define PAIR_JSON_H

#include <stddef.h>

/*
 * One message as JSON (RFC 8259), strictly, without a tree: members are slices
 * of the message, so that what is passed on is passed on as it came. Nothing is
 * allocated and nothing recurses. Pure.
 */

#define JSON_DEPTH	1000	/* arrays and objects inside each other */

enum json_kind { JSON_ABSENT, JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING,
	JSON_ARRAY, JSON_OBJECT };

struct json_value {
	enum json_kind	 kind;
	const char	*s;		/* as written, a string with quotes */
	size_t		 len;
};

struct json_member {
	const char		*name;
	struct json_value	 value;
};

/*
 * 0: `whole` is what the text is; of an object those of the `n` members of
 * `want` that it has are filled, of equal names the last. -1: it is no JSON,
 * not UTF-8, or too deep.
 */
int	json_read(const char *, size_t len, struct json_value *whole,
	    struct json_member *want, size_t n);

/*
 * The contents of a string, which may have NULs, to `dst`; half a surrogate
 * pair as if it were a character. The length, and that in UTF-16 units in
 * *units; -1: no string, or longer than `size`.
 */
long	json_string(const struct json_value *, char *dst, size_t size,
	    size_t *units);

#endif
