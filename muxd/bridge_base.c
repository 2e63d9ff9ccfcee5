/* SPDX-License-Identifier: ISC */
/* All streams, and how one ends: what both directions need. */
#include <sys/queue.h>
#include <sys/socket.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "muxd.h"
#include "bridge_int.h"

static int	fd_unread(int);

struct bridges	bridges;

/* Did it leave bytes behind that we have not read? */
static int
fd_unread(int fd)
{
	char	c;

	return (recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) > 0);
}

/*
 * FIN if the client has said all it had to say, else RST (messages.md, 2).
 * Also RST when bytes are lost here: a FIN would make them look complete. One
 * who closes behind what it had to say is done, too, where that could not be
 * passed on.
 */
void
bridge_asker_gone(struct bridge *st)
{
	if (st->m.ys == NULL) {		/* FIN both ways */
		bridge_end(st, mux_bridge_through(&st->m) ? END_CLEAN :
		    END_LOCAL);
		return;
	}
	yamux_set(st->m.ys, NULL);
	if (((st->flags & SF_FIN) || ((st->flags & SF_DONE) &&
	    !bridges.halves)) && !fd_unread(st->m.fd)) {
		yamux_fin(st->m.ys);
		bridge_end(st, mux_bridge_through(&st->m) ? END_CLEAN :
		    END_LOCAL);
	} else {
		yamux_reset(st->m.ys);
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
		(void)send(st->m.fd, line, (size_t)n, MSG_NOSIGNAL);
	log_info("stream %llu: %s: %s", (unsigned long long)st->id,
	    st->service, why);
	if (st->m.ys != NULL)
		yamux_reset(st->m.ys);
	bridge_end(st, reason);
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
	if (st->m.ys != NULL)
		yamux_reset(st->m.ys);
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
		if (st->m.ys != NULL)
			yamux_set(st->m.ys, NULL);
		bridge_end(st, reason);
	}
}

void
bridge_end(struct bridge *st, enum end_reason reason)
{
	timer_del(&st->deadline);
	mux_bridge_clear(&st->m);
	if (st->flags & SF_WAITING)
		TAILQ_REMOVE(&bridges.waiting, st, wait_entry);
	if (st->flags & SF_TOUCHED)
		TAILQ_REMOVE(&bridges.touched, st, touch_entry);
	TAILQ_REMOVE(&bridges.all, st, entry);
	close(st->m.fd);
	log_debug("stream %llu: %s: ended: %s, %llu in, %llu out",
	    (unsigned long long)st->id, st->service,
	    end_reason_name(reason), (unsigned long long)st->in,
	    (unsigned long long)st->m.out);
	authd_stream_end(st->id, st->service, st->tag, st->tag_len, reason,
	    st->in, st->m.out);
	free(st->line);
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
		fn(st->id, st->service, st->tag, st->tag_len, st->in,
		    st->m.out);
}

void
bridge_tell_moved(void)
{
	struct bridge	*st;

	if (bridges.mux == NULL)
		return;
	TAILQ_FOREACH(st, &bridges.all, entry)
		if (st->in + st->m.out != st->told) {
			st->told = st->in + st->m.out;
			authd_stream_moved(st->id, st->in, st->m.out);
		}
}
