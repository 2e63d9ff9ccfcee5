/* SPDX-License-Identifier: ISC */
#include <sodium.h>

#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "imsg/imsg.h"
#include "member.h"
#include "proc/proc.h"
#include "proxyd/door/buf.h"
#include "proxyd/door/limits.h"

#define PLACES	1024		/* a power of two */

/* By a keyed hash: who chooses ids does not choose whose place is lost. */
static struct known {
	uint64_t	until_ms;
	int		kind;
	char		id[UUID_SIZE], member[MEMBER_SIZE];
} known[PLACES];

static LIST_HEAD(, mlink)	idle = LIST_HEAD_INITIALIZER(idle);

static struct known *
place_of(int kind, const char *id)
{
	static unsigned char	key[crypto_shorthash_KEYBYTES];
	static int		made;
	unsigned char		hash[crypto_shorthash_BYTES];
	uint16_t		h;

	if (!made)
		crypto_shorthash_keygen(key);
	made = 1;
	crypto_shorthash(hash, (const unsigned char *)id, strlen(id), key);
	memcpy(&h, hash, sizeof(h));
	return (&known[(h + (unsigned)kind) & (PLACES - 1)]);
}

int
member_known(enum forward_kind kind, const char *id, const char **member)
{
	const struct known	*k = place_of((int)kind, id);

	if (k->until_ms <= clock_ms() || k->kind != (int)kind ||
	    strcmp(k->id, id) != 0)
		return (0);
	*member = k->member;
	return (1);
}

void
member_note(enum forward_kind kind, const char *id, const char *member)
{
	struct known	*k = place_of((int)kind, id);

	k->until_ms = clock_ms() + MEMBER_KNOWN_MS;
	k->kind = (int)kind;
	strlcpy(k->id, id, sizeof(k->id));
	strlcpy(k->member, member, sizeof(k->member));
}

/* ---- connections ---- */

static void
mlink_readable(evutil_socket_t fd, short what, void *arg)
{
	struct mlink	*l = arg;

	(void)fd;
	(void)what;
	/* Who waits has nothing to hear: it was closed over there. */
	if (l->readable == NULL)
		mlink_free(l);
	else
		l->readable(l->arg);
}

static void
mlink_writable(evutil_socket_t fd, short what, void *arg)
{
	struct mlink	*l = arg;

	(void)fd;
	(void)what;
	l->writing = 0;
	if (l->writable != NULL)
		l->writable(l->arg);
}

static void
mlink_old(void *arg)
{
	mlink_free(arg);
}

struct mlink *
mlink_new(int fd, const char *member, const struct addr *client,
    uint32_t flags)
{
	struct mlink	*l;

	if ((l = calloc(1, sizeof(*l))) == NULL) {
		imsg_close_fd(fd);
		return (NULL);
	}
	l->fd = fd;
	strlcpy(l->member, member, sizeof(l->member));
	l->client = *client;
	l->flags = flags;
	event_assign(&l->ev_read, proc_base(), fd, EV_READ | EV_PERSIST,
	    mlink_readable, l);
	event_assign(&l->ev_write, proc_base(), fd, EV_WRITE, mlink_writable,
	    l);
	timer_init(&l->idle, mlink_old, l);
	limits_fds(1);
	return (l);
}

struct mlink *
mlink_take(const char *member, const struct addr *client, uint32_t flags)
{
	struct mlink	*l;

	LIST_FOREACH(l, &idle, entry)
		if (l->flags == flags && strcmp(l->member, member) == 0 &&
		    memcmp(&l->client, client, sizeof(*client)) == 0)
			break;
	if (l == NULL)
		return (NULL);
	LIST_REMOVE(l, entry);
	l->waits = 0;
	timer_del(&l->idle);
	mlink_reading(l, 0);
	l->used = 1;
	/* Until it is its user's it is nobody's. */
	return (l);
}

void
mlink_reading(struct mlink *l, int on)
{
	if (l->reading == (unsigned)on)
		return;
	l->reading = (unsigned)on;
	if (on)
		event_add(&l->ev_read, NULL);
	else
		event_del(&l->ev_read);
}

void
mlink_writing(struct mlink *l, int on)
{
	if (l->writing == (unsigned)on)
		return;
	l->writing = (unsigned)on;
	if (on)
		event_add(&l->ev_write, NULL);
	else
		event_del(&l->ev_write);
}

void
mlink_keep(struct mlink *l)
{
	struct mlink	*o, *last = NULL;
	unsigned	 n = 0;

	buf_put(&l->in);
	l->readable = l->writable = NULL;
	l->arg = NULL;
	mlink_writing(l, 0);
	LIST_FOREACH(o, &idle, entry)
		if (strcmp(o->member, l->member) == 0) {
			n++;
			last = o;
		}
	LIST_INSERT_HEAD(&idle, l, entry);
	l->waits = 1;
	mlink_reading(l, 1);
	timer_set(&l->idle, n < MEMBER_IDLE ? MEMBER_IDLE_MS : MEMBER_MORE_MS);
	if (n >= MEMBER_MOST)
		mlink_free(last);
}

void
mlink_free(struct mlink *l)
{
	if (l == NULL)
		return;
	timer_del(&l->idle);
	if (l->waits)
		LIST_REMOVE(l, entry);
	event_del(&l->ev_read);
	event_del(&l->ev_write);
	buf_put(&l->in);
	imsg_close_fd(l->fd);
	limits_fds(-1);
	free(l);
}
