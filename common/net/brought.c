/* SPDX-License-Identifier: ISC */
#include <sys/queue.h>
#include <sys/socket.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rate.h"
#include "base/want.h"
#include "brought.h"
#include "imsg/imsg.h"
#include "imsg/msg.h"
#include "proc/trusted.h"
#include "proxyhead.h"

#define SOURCES		512	/* places for who has been logged */
#define SOURCE_MS	3600000
#define LINES		60	/* of all sources, per LINES_MS */
#define LINES_MS	60000
#define FIRST_SIZE	256	/* a header that needs more gets PROXYHEAD_MAX */

/* One whose header is awaited. */
struct waits {
	TAILQ_ENTRY(waits)	 entry;		/* the oldest first */
	int			 fd;
	unsigned		 n;
	uint32_t		 flags;
	struct addr		 from;
	struct plain		 plain;
	struct event		 ev;
	struct timer		 timer;
	size_t			 len, size;	/* of what was read */
	uint8_t			*p;
};

static struct {
	TAILQ_HEAD(, waits)		 waiting;
	unsigned			 n;
	struct event_base		*base;
	const struct brought_ops	*ops;
	struct rate			*logged;
} all = { .waiting = TAILQ_HEAD_INITIALIZER(all.waiting) };

void
brought_init(struct event_base *base, const struct brought_ops *ops)
{
	all.base = base;
	all.ops = ops;
	if ((all.logged = rate_new(SOURCES)) == NULL)
		fatal("out of memory");
}

void
brought_note(const struct addr *from, const char *in, const char *why)
{
	char		text[ADDR_SIZE], key[ADDR_SIZE + 128];
	uint32_t	retry;

	addr_key(from, text);
	snprintf(key, sizeof(key), "%s %s %s", text, in, why);
	if (rate_peek(all.logged, "", LINES, &retry) == -1 ||
	    rate_hit(all.logged, key, 1, SOURCE_MS, &retry) == -1)
		return;
	(void)rate_hit(all.logged, "", LINES, LINES_MS, &retry);
	addr_print(from, text);
	log_warnx("%s: refused: %s%s%s", text, in, in[0] != '\0' ? ": " : "",
	    why);
}

void
brought_refuse(int fd, const struct plain *plain, const struct addr *from,
    const char *why)
{
	static const struct plain	none;

	brought_note(from, "", why);
	all.ops->refused(plain != NULL ? plain : &none);
	imsg_close_fd(fd);	/* of a tlsd's, it may be */
}

/* No longer one that waits; its socket. */
static int
waits_end(struct waits *w)
{
	int	fd = w->fd;

	TAILQ_REMOVE(&all.waiting, w, entry);
	all.n--;
	event_del(&w->ev);
	timer_del(&w->timer);
	free(w->p);
	free(w);
	all.ops->holds(-1);
	return (fd);
}

static void
waits_refuse(struct waits *w, const char *why)
{
	struct addr	from = w->from;
	struct plain	plain = w->plain;

	brought_refuse(waits_end(w), &plain, &from, why);
}

static void
waits_expired(void *arg)
{
	struct waits	*w = arg;

	waits_refuse(w, w->len == 0 ? "no PROXY header in time" :
	    "PROXY header not complete in time");
}

/* Its header is whole, and stays so until it was looked at. */
static void
waits_peer(struct waits *w, const struct proxyhead *h)
{
	struct addr	 from = w->from;
	struct plain	 plain = w->plain;
	uint8_t		*p = w->p;
	size_t		 len = w->len;

	if (h->of != PROXYHEAD_CLIENT || h->ours == NULL) {
		waits_refuse(w, "no header of a member");
		return;
	}
	w->p = NULL;
	all.ops->peer(waits_end(w), &plain, &from, h, p, len);
	free(p);
}

static void
waits_over(struct waits *w, const struct proxyhead *h)
{
	struct addr	a = h->of == PROXYHEAD_CLIENT ? h->client : w->from;
	uint32_t	flags = w->flags & ~(uint32_t)LISTEN_PROXY;
	unsigned	n = w->n;

	if (h->of == PROXYHEAD_UNNAMED)
		flags |= LISTEN_UNNAMED;
	all.ops->came(waits_end(w), n, flags, &a);
}

/* Room for one byte more at least. 0 or -1. */
static int
waits_room(struct waits *w)
{
	uint8_t	*p;
	size_t	 size = w->p == NULL ? FIRST_SIZE : PROXYHEAD_MAX;

	if (w->len < w->size)
		return (0);
	if ((p = realloc(w->p, size)) == NULL)
		return (-1);
	w->p = p;
	w->size = size;
	return (0);
}

/*
 * Look at what has come, and take out of the socket what is of the header: all,
 * as long as that is not whole. A part that was left there would wake us again
 * and again.
 */
static void
waits_read(evutil_socket_t fd, short what, void *arg)
{
	struct waits		*w = arg;
	struct proxyhead	 h;
	const char		*why;
	ssize_t			 n;
	long			 len;

	(void)what;
	if (waits_room(w) == -1) {
		waits_refuse(w, "out of memory");
		return;
	}
	n = recv(fd, w->p + w->len, w->size - w->len, MSG_PEEK);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		waits_refuse(w, w->len == 0 ? "closed before a PROXY header" :
		    "closed in its PROXY header");
		return;
	}
	len = proxyhead_parse(&h, w->p, w->len + (size_t)n, &why);
	if (len == -1) {
		waits_refuse(w, why);
		return;
	}
	if (len > 0)
		n = len - (ssize_t)w->len;
	if (recv(fd, w->p + w->len, (size_t)n, 0) != n) {
		waits_refuse(w, "PROXY header: cannot be read");
		return;
	}
	w->len += (size_t)n;
	if (len > 0 && (w->flags & LISTEN_PEER))
		waits_peer(w, &h);
	else if (len > 0)
		waits_over(w, &h);
}

/* Who has waited longest has least to say. */
static void
make_room(void)
{
	if (all.n >= BROUGHT_MAX)
		waits_refuse(TAILQ_FIRST(&all.waiting),
		    "too many wait for a PROXY header");
}

void
brought(int fd, unsigned n, uint32_t flags, const struct addr *from,
    const struct plain *plain)
{
	struct waits	*w;

	if (!(flags & LISTEN_PEER) && !trusted_has(from)) {
		brought_refuse(fd, plain, from,
		    "not of a network of \"trusted proxy\"");
		return;
	}
	make_room();
	if ((w = calloc(1, sizeof(*w))) == NULL) {
		brought_refuse(fd, plain, from, "out of memory");
		return;
	}
	w->fd = fd;
	w->n = n;
	w->flags = flags;
	w->from = *from;
	if (plain != NULL)
		w->plain = *plain;
	event_assign(&w->ev, all.base, fd, EV_READ | EV_PERSIST, waits_read, w);
	timer_init(&w->timer, waits_expired, w);
	TAILQ_INSERT_TAIL(&all.waiting, w, entry);
	all.n++;
	event_want(&w->ev, NULL);
	timer_set(&w->timer, BROUGHT_MS);
	all.ops->holds(1);
}

unsigned
brought_n(void)
{
	return (all.n);
}

void
brought_stop(void)
{
	struct waits	*w;

	while ((w = TAILQ_FIRST(&all.waiting)) != NULL)
		imsg_close_fd(waits_end(w));
}
