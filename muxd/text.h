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
/* What json_dumps() has made; NULL is allowed. */
void	text_json_free(char *);

#endif
