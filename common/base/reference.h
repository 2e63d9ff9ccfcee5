/* SPDX-License-Identifier: ISC */
#ifndef REFERENCE_H
#define REFERENCE_H

#include <stddef.h>
#include <stdint.h>

/*
 * What stands for a proxy token in cookies, since a token has half a kilobyte:
 * `r` and 56 characters. authd makes it, and it alone knows what token it is
 * of. That it ends and of which session it is can be read, as a token's can; to
 * be believed it has to be asked for. Pure. operator-api.md, 7.4.
 */
#define REFERENCE_SIZE		58	/* with its NUL */
#define REFERENCE_SECRET	32

struct reference {
	uint32_t	expires;		/* seconds, wall clock */
	uint8_t		session[6];		/* how its id begins */
	uint8_t		secret[REFERENCE_SECRET];
};

/* `session` of the id or slug of one, in either case. 0, or -1: too short. */
int	reference_session(const char *id, uint8_t session[6]);
void	reference_write(const struct reference *, char out[REFERENCE_SIZE]);
/* 0, or -1: it has not the form of one. */
int	reference_read(const char *, size_t len, struct reference *);

#endif
