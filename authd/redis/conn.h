/* SPDX-License-Identifier: ISC */
#ifndef REDIS_CONN_H
#define REDIS_CONN_H

#include <stddef.h>
#include <stdint.h>

struct redisReply;
struct redis;

/*
 * A connection to Redis: hiredis makes commands and reads answers, the socket
 * is on our loop. It is made anew for as long as it is wanted. What it cannot
 * do now it says at once: no command waits for a server that is not there, and
 * one that has not answered in a second is taken for hung, and left.
 */

/*
 * The answer, the caller's during the call only; NULL: there is none, and
 * whether it was done nobody knows.
 */
typedef void (*redis_then)(const struct redisReply *, void *arg);

struct redis_ops {
	const char	*name;		/* for the log */
	/* It answers, from now on (or NULL); it does not any more. */
	void		(*up)(struct redis *);
	void		(*down)(struct redis *);
	/* Said in a channel that was subscribed to. */
	void		(*said)(const char *channel, const char *text,
			    size_t len);
};

/* Begin to connect. NULL: out of memory. `channels` ends with NULL. */
struct redis	*redis_new(const struct redis_ops *,
		    const char *const *channels);
void		 redis_free(struct redis *);
/* Before the first: with AUTH. The first line is copied; 0, or -1: too long. */
int		 redis_password(const void *, size_t len);

int		 redis_is_up(const struct redis *);
/* Text arguments, the last NULL. -1: not now, and `then` is not called. */
int		 redis_ask(struct redis *, redis_then, void *arg, ...)
		    __attribute__((sentinel));

#endif
