/* SPDX-License-Identifier: ISC */
#ifndef HANDLERS_H
#define HANDLERS_H

#include "imsg/imsg.h"

struct peer;

/* The handler of each message that authd hears. */
#define P(TYPE, handler)						\
	int	handler(struct chan *, struct imsg *);
#define D(TYPE, from, states, flags, handler)				\
	int	handler(struct chan *, struct imsg *);
#include "table.def"

/* from_parent.c */
/* Called once, when all who were there before are known (SPAWNED_ALL). */
void	parent_began(void (*fn)(void *));
/* How many proxyds are connected. */
unsigned	peer_doors(void);
/* The store is being read: everybody waits for that, or not any more. */
void	parent_store_loading(int);
/* The store is open and the sessions are loaded: let the workers in. */
void	parent_store_ready(void);

/* from_termd.c */
/* It is there, with the admission of an operator: open its stream. */
void	termd_started(struct peer *);

#endif
