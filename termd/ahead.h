/* SPDX-License-Identifier: ISC */
#ifndef AHEAD_H
#define AHEAD_H

#include <stddef.h>
#include <stdint.h>

/*
 * How much lies between this process and what the browser has read. The
 * kernel at the other end takes more and more for a slow reader, megabytes in
 * the end, and ^C waits behind all of it. So pings go among the bytes, as
 * marks: a pong says that everything before its ping was read (RFC 6455,
 * 5.5.3). Pure; the caller sends, and says the time.
 *
 * 32 KiB may be ahead. That is a lot for who reads slowly and little for who
 * is fast and far away: with quick pongs it becomes more, up to 1 MiB.
 */
#define AHEAD_MIN	(32 * 1024)
#define AHEAD_MARK	16	/* bytes of a ping's payload */

struct ahead {
	uint64_t	sent, marked, read;	/* bytes in all */
	size_t		max;
	int		heard;		/* it answers pings */
	int		off;		/* it never did: there is no limit */
};

void	ahead_init(struct ahead *);
void	ahead_sent(struct ahead *, size_t);
/* Is it time for a ping? Of the first bytes on, then every 8 KiB. */
int	ahead_wants(const struct ahead *);
/* Its payload. */
void	ahead_mark(struct ahead *, uint8_t mark[AHEAD_MARK], uint64_t now_ms);
/* A pong: what is none of a mark of ours is ignored. */
void	ahead_pong(struct ahead *, const uint8_t *, size_t, uint64_t now_ms);
/* May more be sent? */
int	ahead_has_room(const struct ahead *);

#endif
