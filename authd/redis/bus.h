/* SPDX-License-Identifier: ISC */
#ifndef REDIS_BUS_H
#define REDIS_BUS_H

#include "authd/redis/conn.h"

struct said_command;

/*
 * Redis, if there is one: one connection that asks, one that hears. Without it,
 * and while it is away, everything that this daemon does alone goes on.
 */
struct bus_ops {
	/*
	 * It hears again: what was said meanwhile nobody will repeat.
	 */
	void	(*heard_again)(void);
	void	(*invalidated)(const char *key);
	/* A command that is signed, fresh and new. */
	void	(*commanded)(const struct said_command *);
	/* Another member has changed something (said.h). */
	void	(*changed)(const char *session, const char *system);
	/* Of a member of our cluster, as it came. */
	void	(*noted)(const char *text, size_t len);
};

/* -1: out of memory. Without `redis` in the configuration nothing happens. */
int		 bus_init(const struct bus_ops *);
int		 bus_is_configured(void);
/* For questions (redis_ask()); NULL: there is none. */
struct redis	*bus_asks(void);
/* To all daemons, this one too: the credentials of this key have changed. */
void		 bus_invalidate(const char *key);
/*
 * To the other members of a cluster: this session, or "", the system, has
 * changed.
 */
void		 bus_changed(const char *session, const char *system);
/* To the members of our cluster: a note (redis/note.h). 0, or -1: not now. */
int		 bus_note(const char *text);
/* To who asked for it: signed as commands are. */
void		 bus_say_signed(const char *channel, const char *payload);

#endif
