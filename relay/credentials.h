/* SPDX-License-Identifier: ISC */
#ifndef CREDENTIALS_H
#define CREDENTIALS_H

#include <cjson/cJSON.h>

/*
 * The file with what `relay auth` was given: the one of the existing tool, with
 * members of ours. rendezvous-protocol.md, 10.
 */

/*
 * Where it is, `given` if not NULL. NULL: no home; lives until the next call.
 */
const char	*cred_path(const char *given);
/*
 * The caller's; NULL, and `*why`: it is not there ("" then), others can read or
 * change it, or it is none.
 */
cJSON		*cred_load(const char *path, const char **why);
/* 0, or -1: errno. Its directory is made, it itself replaced as a whole. */
int		 cred_save(const char *path, const cJSON *);
/* 0, or -1 as unlink(2); one that is not there is no error. */
int		 cred_remove(const char *path);

/*
 * What a token endpoint has answered, into `cred`: access and refresh token,
 * type, and when it expires. 0, or -1: it is no such answer.
 */
int		 cred_take(cJSON *cred, const cJSON *answer);
/* Has it expired, or will in a moment? */
int		 cred_is_over(const cJSON *cred);

#endif
