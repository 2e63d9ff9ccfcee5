/* SPDX-License-Identifier: ISC */
#ifndef TEXT_H
#define TEXT_H

#include <stddef.h>
#include <stdio.h>

/* Texts of others, before they are kept and shown to everybody. */

/*
 * Is it a name that people can read and tell from others: UTF-8, not empty, not
 * blanks alone, with no control character, no line break, and none of those
 * that turn the direction of what is written? 1 or 0.
 */
int	text_is_name(const char *);

/*
 * Is this JSON that every reader reads alike, as far as its bytes go: UTF-8, no
 * raw control character but the blanks between values (RFC 8259, 2 and 7), no
 * \u0000, behind which a C string would end, and numbers as RFC 8259, 6, has
 * them? The rest of its grammar is the parser's business. 1 or 0.
 */
int	text_is_json(const char *, size_t len);

/*
 * The same for what need not be a name: what is no plain character of UTF-8
 * comes as \xNN, and so does a backslash. What does not fit is cut between
 * characters.
 */
void	text_printable(char *dst, size_t size, const char *src);

/*
 * The same of JSON as cJSON prints it, which leaves much as it is: what is no
 * plain character comes as \uNNNN and means what it did; a byte that is no
 * UTF-8 as \ufffd. Errors are the file's.
 */
void	text_put_json(FILE *, const char *json);

#endif
