/* SPDX-License-Identifier: ISC */
#ifndef PEERHEAD_H
#define PEERHEAD_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "imsg/msg.h"

/*
 * The first bytes of what one member of a cluster passes on to another: a PROXY
 * header of version 2 with the client's address and one vector of ours, of
 * which the last part is HMAC-SHA-256 under the cluster's secret of all of the
 * header and of the name of the member that it is for. several-daemons.md, 3.
 */

#define PEERHEAD_AGE_MS	30000	/* and as much in the future */
/*
 * Of before we began so much is taken: what was on its way while authd was
 * restarted, of a member whose clock is a little behind. Sent at once, it is
 * some ms old.
 */
#define PEERHEAD_SLACK_MS	5000

struct peerhead {
	struct addr	client;
	uint32_t	flags;		/* LISTEN_*, of LISTEN_ALONG */
};

/* For that member, made at this time (ms): its length, or -1: no secret. */
long	peerhead_make(uint8_t out[PEER_HEAD_MAX], const struct peerhead *,
	    const char *member, int64_t now);
/*
 * Has a member made this whole header for us (`self`), just now, and is it the
 * first time that we see it? NULL, or why not. Who it was made for, when, and
 * whether it was here before is looked at only in what is genuine. `since`: when
 * we began, by the same clock as `now`. seen.h has what is not remembered.
 */
const char	*peerhead_check(struct peerhead *, const uint8_t *, size_t len,
		    const char *self, int64_t now, int64_t since);

#endif
