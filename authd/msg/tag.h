/* SPDX-License-Identifier: ISC */
#ifndef TAG_H
#define TAG_H

#include <stddef.h>
#include <stdint.h>

#include "authd/cred/jwt.h"
#include "imsg/msg.h"

/*
 * What a new authd wants to hear from muxd about a stream that it finds: its
 * row, its termd (0: none), the end of its token (0: none), the session that
 * the token is for where that is a sibling (or ""). It is marked: a muxd that
 * lies could name another one's stream or worker as its own.
 */
struct tag {
	char		row[UUID_SIZE];
	uint64_t	terminal;
	int64_t		expires;
	char		lender[UUID_SIZE];
};
#define TAG_SIZE	(2 * UUID_SIZE + 16 + JWT_MARK_SIZE)

void	tag_make(const struct tag *, uint64_t stream, const char *session,
	    const char *service, uint8_t bytes[TAG_SIZE]);
/* 0; -1: not one of ours for this stream, session and service. */
int	tag_read(const uint8_t *, size_t len, uint64_t stream,
	    const char *session, const char *service, struct tag *);

#endif
