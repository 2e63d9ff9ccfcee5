/* SPDX-License-Identifier: ISC */
#ifndef REDIS_SAID_H
#define REDIS_SAID_H

#include <stddef.h>
#include <stdint.h>

#include "imsg/msg.h"

/*
 * What others say in channels of Redis, as bytes. Whoever can write there can
 * say anything: what is not exactly as it has to be is nothing. Pure.
 * operator-api.md, 9.1 and 9.2.
 */

/* A system key as they are issued: NETH and eight times -XXXX, upper hex. */
int	said_is_key(const char *, size_t len);

/*
 * Whose credentials have changed: `key`, or `key|signature`, which has to be
 * there when there is a secret for it. 0, or -1.
 */
int	said_invalidate(char key[SYSKEY_SIZE], const char *text, size_t len);

/*
 * `member|session|system|signature`: that member has changed something of this
 * session, or ("") of the system, or ("" both) of many; for those who follow.
 * 0, or -1: not signed as a member does.
 */
struct said_changed {
	char	member[MEMBER_SIZE], session[UUID_SIZE], system[ID_SIZE];
};
#define SAID_CHANGED	(MEMBER_SIZE + UUID_SIZE + ID_SIZE + 65)
int	said_changed(struct said_changed *, const char *text, size_t len);
/* The same in text. 0, or -1: there is no secret. */
int	said_changed_make(char text[SAID_CHANGED],
	    const struct said_changed *);

#define SAID_MAX	65536	/* bytes of a command with all around it */
#define SAID_SERVICES	10	/* in one command */
#define SAID_ID_SIZE	65
#define SAID_REPLY_SIZE	97
#define SAID_FRESH_S	60	/* what is older, or that much early, is no more */

enum said_action { SAID_CLOSE, SAID_ADD, SAID_REMOVE };

/* A signed command. */
struct said_command {
	enum said_action action;
	char		 session[UUID_SIZE];
	/* "" or 0: the back end's have none; given together */
	char		 id[SAID_ID_SIZE], reply_to[SAID_REPLY_SIZE];
	int64_t		 at;		/* seconds, wall clock */
	/* SAID_ADD: a list as the API takes it, on the heap; else NULL */
	char		*services;
	size_t		 n;		/* SAID_REMOVE */
	char		 name[SAID_SERVICES][SERVICE_SIZE];
};

/* NULL, or why it is none; to be cleared in both cases. */
const char	*said_command(struct said_command *, const char *text,
		    size_t len, int64_t now);
void		 said_clear(struct said_command *);

/*
 * Was there a command of this id within the time in which it would be fresh?
 * From now on there was. 1 yes, 0 no, -1: there were too many to know.
 */
int		 said_before(const char *id, int64_t now);
/* Forget all, for the end of a test. */
void		 said_forget(void);

#endif
