/* SPDX-License-Identifier: ISC */
#ifndef GATHER_H
#define GATHER_H

#include <stddef.h>
#include <stdint.h>

#include "imsg/msg.h"

struct cJSON;
struct conn;

/*
 * What is of all members of a cluster: the others are asked the same in the
 * caller's name, each says what is its own, for whom it may.
 * several-daemons.md, 3.
 */

#define GATHER_MS	2000		/* for all of them together */
#define GATHER_MAX	(16 << 20)	/* bytes of their answers together */
#define GATHERS_MAX	16		/* under way in one proxyd */

struct gather;

/* One of the others. `status` 0: it did not answer in time, or no JSON. */
struct gathered {
	const char	*member;
	int		 status;
	struct cJSON	*doc;		/* NULL: none; still the gather's */
};

/*
 * Is it to be asked at all? Not where there is no cluster, and not for a
 * member, which asks the others itself.
 */
int	gather_may(const struct conn *);
/*
 * Ask all others for `path` (of characters that a path may have, with its
 * query) with `method`, GET or DELETE, and this token ("": none). `then` is
 * called once, from the loop, and may free it. NULL: too many are under way, or
 * no memory.
 */
struct gather	*gather_begin(struct conn *, const char *method,
		    const char *path, const char *token,
		    void (*then)(struct gather *, void *), void *arg);
/* Our own name; "": authd could not say. */
const char	*gather_self(const struct gather *);
/* The i-th of the others, 0; or -1: there are no more. */
int	gather_at(const struct gather *, size_t i, struct gathered *);
/* NULL is allowed; what waits is taken back. */
void	gather_free(struct gather *);

#endif
