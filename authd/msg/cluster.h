/* SPDX-License-Identifier: ISC */
#ifndef CLUSTER_H
#define CLUSTER_H

#include <stddef.h>

#include "authd/redis/note.h"

/*
 * What members say to each other, and what follows from it. Without a cluster
 * nothing of this happens.
 */

/* A note, as it came (bus_ops). */
void	cluster_heard(const char *text, size_t len);
/* Somebody's rights were taken here: all are to look. */
void	cluster_revoked(void);
/* What a session offers is in the store now: others may lead to it. */
void	cluster_told(void);
/* A beat of ours has been written: what others are to know, and we to see. */
void	cluster_beaten(int late);
/* To a member, or NOTE_ALL. 0, or -1: Redis is not there. */
int	cluster_say(enum note_op, const char *to, const char *session);

/*
 * Does this member have a tunnel that lives? It is asked; ALIVE or DEAD, or
 * SILENT: no answer in 2 s, or CANNOT: nobody can be asked. `then` is called
 * once, later or (CANNOT) in this call.
 */
enum probed { PROBED_ALIVE, PROBED_DEAD, PROBED_SILENT, PROBED_CANNOT };
void	cluster_probe(const char *member, const char *session,
	    void (*then)(enum probed, void *arg), void *arg);

#endif
