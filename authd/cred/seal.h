/* SPDX-License-Identifier: ISC */
#ifndef SEAL_H
#define SEAL_H

#include <stddef.h>

/*
 * What the store keeps and nobody may read in a copy of it: passwords that were
 * made for support. Sealed under a key that comes of the signing key, and for
 * one place: elsewhere it does not open. operator-api.md, 10, O35.
 */

/*
 * `place` is where it belongs, a session's id. Text that is to be freed; NULL
 * with errno: EINVAL, there is no signing key; ENOMEM.
 */
char	*seal(const char *place, const char *text, size_t len);
/*
 * The text, with a NUL behind it, its length in *len; to be wiped and freed.
 * NULL with errno: EINVAL, not sealed by us for this place, or with another
 * signing key; ENOMEM.
 */
char	*unseal(const char *place, const char *sealed, size_t *len);

#endif
