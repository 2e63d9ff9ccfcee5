/* SPDX-License-Identifier: ISC */
/*
 * All streams, the memory they keep, and how one ends: what both directions
 * need.
 */
#include <sys/queue.h>
#include <sys/socket.h>

#include <event2/event.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "muxd.h"
#include "bridge_int.h"
#include "mux/sock.h"

#define CHUNKS_KEPT	8	/* for the next burst */

static void	bridge_in_clear(struct bridge *);
static int	fd_unread(int);

struct bridges	bridges;

static struct {
	STAILQ_HEAD(, chunk)	 list;
	unsigned		 count;
} spare;		/* all zero is an empty one, as far as it is used */

struct chunk *
chunk_new(void)
{
	struct chunk	*c;

	if ((c = STAILQ_FIRST(&spare.list)) == NULL)
		return (malloc(sizeof(*c)));
	STAILQ_REMOVE_HEAD(&spare.list, entry);
	spare.count--;
	return (c);
}

void
chunk_free(struct chunk *c)
{
	if (spare.count == CHUNKS_KEPT) {
		free(c);
		return;
	}
	STAILQ_INSERT_HEAD(&spare.list, c, entry);
	spare.count++;
	mux_used(bridges.mux);
}

void
chunks_trim(void)
{
	struct chunk	*c;

	while ((c = STAILQ_FIRST(&spare.list)) != NULL) {
		STAILQ_REMOVE_HEAD(&spare.list, entry);
		free(c);
	}
	spare.count = 0;
}

/* The end. */

/* Did it leave bytes behind that we have not read? */
static int
fd_unread(int fd)
{
	char	c;

	return (recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) > 0);
}

/*
 * FIN if the client has said all it had to say, else RST (messages.md, 2).
 * Also RST when bytes are lost here: a FIN would make them look complete.
 */
void
bridge_asker_gone(struct bridge *st)
{
	yamux_set(st->ys, NULL);
	if ((st->flags & SF_FIN) && !fd_unread(st->fd)) {
		yamux_fin(st->ys);
		bridge_end(st, st->kept == 0 && st->first == -1 ? END_CLEAN :
		    END_LOCAL);
	} else {
		yamux_reset(st->ys);
		bridge_end(st, END_LOCAL);
	}
}

void
bridge_fail(struct bridge *st, const char *why, enum end_reason reason)
{
	char	line[128];
	int	n;

	n = snprintf(line, sizeof(line), "ERROR %s\n", why);
	if (!(st->flags & SF_REPLIED) && n > 0 && (size_t)n < sizeof(line))
		(void)send(st->fd, line, (size_t)n, MSG_NOSIGNAL);
	log_info("stream %llu: %s: %s", (unsigned long long)st->id,
	    st->service, why);
	yamux_reset(st->ys);
	bridge_end(st, reason);
}

/* What the asker has not taken is forgotten. */
static void
bridge_in_clear(struct bridge *st)
{
	struct chunk	*c;

	if (st->flags & SF_WRITING)
		event_del(&st->ev_write);
	if (st->flags & SF_TOUCHED)
		TAILQ_REMOVE(&bridges.touched, st, touch_entry);
	while ((c = STAILQ_FIRST(&st->chunks)) != NULL) {
		STAILQ_REMOVE_HEAD(&st->chunks, entry);
		chunk_free(c);
	}
	free(st->line);
}

void
bridge_kill(uint64_t id, enum end_reason reason)
{
	struct bridge	*st;

	if (bridges.mux == NULL)
		return;
	TAILQ_FOREACH(st, &bridges.all, entry)
		if (st->id == id)
			break;
	if (st == NULL)
		return;		/* it has ended by itself */
	yamux_reset(st->ys);
	bridge_end(st, reason);
}

/* With the tunnel: yamux is not told any more. */
void
bridge_end_all(enum end_reason reason)
{
	struct bridge	*st;

	if (bridges.mux == NULL)
		return;
	while ((st = TAILQ_FIRST(&bridges.all)) != NULL) {
		yamux_set(st->ys, NULL);
		bridge_end(st, reason);
	}
}

void
bridge_end(struct bridge *st, enum end_reason reason)
{
	timer_del(&st->deadline);
	if (st->flags & SF_READING)
		event_del(&st->ev_read);
	if (st->flags & SF_WAITING)
		TAILQ_REMOVE(&bridges.waiting, st, wait_entry);
	TAILQ_REMOVE(&bridges.all, st, entry);
	bridge_in_clear(st);
	close(st->fd);
	log_debug("stream %llu: %s: ended: %s, %llu in, %llu out",
	    (unsigned long long)st->id, st->service,
	    end_reason_name(reason), (unsigned long long)st->in,
	    (unsigned long long)st->out);
	authd_stream_end(st->id, st->service, st->tag, st->tag_len, reason,
	    st->in, st->out);
	free(st->tag);
	free(st);
	bridges.count--;
	muxd_title_changed(bridges.count);
}

unsigned
bridge_count(void)
{
	return (bridges.count);
}

void
bridge_walk(void (*fn)(uint64_t, const char *, const uint8_t *, size_t,
    uint64_t, uint64_t))
{
	struct bridge	*st;

	if (bridges.mux == NULL)
		return;
	TAILQ_FOREACH(st, &bridges.all, entry)
		fn(st->id, st->service, st->tag, st->tag_len, st->in, st->out);
}
