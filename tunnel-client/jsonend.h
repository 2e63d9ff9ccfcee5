/* SPDX-License-Identifier: ISC */
#ifndef JSONEND_H
#define JSONEND_H

#include <stddef.h>
#include <stdint.h>

/*
 * Where does a JSON object end that comes in pieces? Looks at braces and
 * strings only; a parser judges the rest. Zero the struct to begin.
 */
struct jsonend {
	unsigned	depth;
	uint8_t		in_string, escaped;
};

/*
 * Returns 1 at the closing brace (`*used` bytes up to it, itself included), 0
 * when more has to come (all used), -1 when it does not begin with a brace
 * after blanks, or is nested deeper than anything sane.
 */
int	jsonend_feed(struct jsonend *, const uint8_t *, size_t, size_t *used);

#endif
