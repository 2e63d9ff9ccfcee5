/* SPDX-License-Identifier: ISC */
#ifndef SHARED_H
#define SHARED_H

#include <stddef.h>

/*
 * Secrets that we share with an existing back end: what it signs commands with,
 * and shows on the internal interface; what it signs invalidations with. And
 * what the members of a cluster have in common. They stay in this process.
 * operator-api.md, 9; several-daemons.md, 3.
 */
enum shared { SHARED_INTERNAL, SHARED_INVALIDATE, SHARED_CLUSTER,
    SHARED_COUNT };

/* Without ends of lines behind it. 0, or -1: empty or too long. */
int	shared_set(enum shared, const void *, size_t len);
int	shared_is_set(enum shared);
/* Is it this? Costs the same for each answer; no if there is none. */
int	shared_is(enum shared, const char *, size_t len);

#define SHARED_MAC_SIZE	65	/* hex of HMAC-SHA-256, with NUL */
/* 0, or -1: there is no secret. */
int	shared_sign(enum shared, const char *text, size_t len,
	    char mac[SHARED_MAC_SIZE]);
/* Is `mac` that of the text? */
int	shared_signed(enum shared, const char *text, size_t len,
	    const char *mac, size_t mac_len);

#endif
