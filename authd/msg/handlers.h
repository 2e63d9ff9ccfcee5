/* SPDX-License-Identifier: ISC */
#ifndef HANDLERS_H
#define HANDLERS_H

#include "imsg/imsg.h"

struct peer;

/* What authd hears, by who says it; who may say what, and when: table.c. */

/* from_parent.c */
int	parent_on_spawned(struct chan *, struct imsg *);
int	parent_on_spawned_all(struct chan *, struct imsg *);
/* The store is being read: everybody waits for that, or not any more. */
void	parent_store_loading(int);
/* The store is open and the sessions are loaded: let the workers in. */
void	parent_store_ready(void);

/* from_muxd.c */
int	muxd_on_up(struct chan *, struct imsg *);
int	muxd_on_stats(struct chan *, struct imsg *);
int	muxd_on_stream_end(struct chan *, struct imsg *);

/* announce.c: muxd and termd on a new channel. */
int	announce_on_begin(struct chan *, struct imsg *);
int	announce_on_stream(struct chan *, struct imsg *);
int	announce_on_end(struct chan *, struct imsg *);

/* from_proxyd.c */
int	proxyd_on_grant(struct chan *, struct imsg *);
int	proxyd_on_grant_drop(struct chan *, struct imsg *);
int	proxyd_on_stream_open(struct chan *, struct imsg *);

/* from_termd.c */
int	termd_on_end(struct chan *, struct imsg *);
/* It is there, with the admission of an operator: open its stream. */
void	termd_started(struct peer *);

#endif
