/* SPDX-License-Identifier: ISC */
#ifndef STOREWORLD_H
#define STOREWORLD_H

#include "authd/store/store.h"

/*
 * The store alone, and a loop around it: a new SQLite file or, with
 * RELAYD_STORE_SERVER, the database on a PostgreSQL server that it names, whose
 * tables are made. What is asked and written is answered when the call returns,
 * whichever it is. What goes wrong ends the test.
 */
void	world_open(void);
/* Again, as after a crash of who has it. */
void	world_reopen(void);
void	world_close(void);
/* Is it a server? If not, the file. */
int	world_is_server(void);
const char	*world_path(void);

/* The turn is over: is it in the store? */
int	world_commit(void);
/* The last session that was in the way of another of its slot, "" none. */
const char	*world_taken(void);

/* The answer; its rows live until the next. */
const struct answer	*world_ask(const struct question *);
const struct answer	*world_key(enum store_what, const char *key);

/* Everything that can be purged is. */
void	world_purge(const struct store_keep *);

#endif
