/* SPDX-License-Identifier: ISC */
#ifndef USERS_H
#define USERS_H

#include <stddef.h>

/*
 * The client's report of its users: what the server keeps of it, written anew.
 * Pure. tunnel-protocol.md, 4.5.
 */
#define USERS_BYTES_MAX		262144	/* of JSON, in and out */
#define USERS_LIST_MAX		500	/* of one list; more are left out */
#define USERS_STRING_MAX	1024	/* bytes */

/*
 * Parse a report (text_json_load()) and write it again with known members only.
 * What is too long is left out, credentials with the whole of their entry: half
 * a password is none. So are names and credentials with U+FFFD: what they were
 * is not known. *credentials tells whether it has any. Returns terminated JSON,
 * to be wiped and freed, its length in *out_len; NULL with *why for what is not
 * a report, is too long, or when memory ran out.
 */
char	*users_rewrite(const char *json, size_t len, size_t *out_len,
	    int *credentials, const char **why);

/*
 * A report without credentials behind one with them, both as users_rewrite()
 * wrote them: the one with what the other says of apps, errors and domains of
 * modules. As above; NULL: it cannot be.
 */
char	*users_merge(const char *kept, size_t kept_len, const char *bare,
	    size_t len, size_t *out_len);

#endif
