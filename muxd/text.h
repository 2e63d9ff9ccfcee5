/* SPDX-License-Identifier: ISC */
#ifndef TEXT_H
#define TEXT_H

#include <stddef.h>

/* Only printable ASCII without blanks; empty is plain. 1 or 0. */
int	text_plain(const char *, size_t len);
/*
 * How many of `len` bytes of UTF-8 to keep so that at most `max` remain and no
 * character is split.
 */
size_t	text_cut(const char *, size_t len, size_t max);

/*
 * May this be parsed? An empty object takes 3 bytes here and 240 parsed, so
 * its values, told by what stands before them, are counted: 15 MiB at most.
 */
#define JSON_VALUES_MAX	100000
int	text_json_small(const char *, size_t len);

/* U+FFFD, which stands for what no text can have. */
#define TEXT_REPLACED	"\xef\xbf\xbd"

struct json_t;

/*
 * Parse a document of somebody else's, for json_decref(). In its strings, and
 * only there, U+FFFD takes the place of each byte that is not UTF-8 (RFC 3629:
 * also of overlong forms, surrogates and what is above U+10FFFF), of \u0000 and
 * of half a surrogate pair (\ud800): jansson would refuse all of it for one.
 * No text of it has a NUL. It is parsed from a copy then, of 3 * len bytes at
 * most and from jansson's allocator, which is to wipe it (base/wipe.h). Limits
 * are checked before, text_json_small() among them. NULL: it is not JSON, or
 * *no_memory is 1, which is 0 otherwise. For what holds secrets it is to be
 * NULL: in the words for what is wrong, which nobody wipes, jansson cites.
 */
struct json_t	*text_json_load(const char *, size_t len, int *no_memory);
/* What json_dumps() has made; NULL is allowed. */
void	text_json_free(char *);

#endif
