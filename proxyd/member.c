/* SPDX-License-Identifier: ISC */
#include <sys/socket.h>

#include <sodium.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "base/log.h"
#include "base/want.h"
#include "imsg/imsg.h"
#include "member.h"
#include "proc/conf.h"
#include "proc/link.h"
#include "proc/proc.h"
#include "proxyd/door/buf.h"
#include "proxyd/door/limits.h"

#define PLACES	1024		/* a power of two */
#define SECURE_LISTS	256

/* By a keyed hash: who chooses ids does not choose whose place is lost. */
static struct known {
	uint64_t	until_ms;
	enum forward_kind kind;
	char		id[UUID_SIZE], member[MEMBER_SIZE];
} known[PLACES];

static LIST_HEAD(, mlink)	idle = LIST_HEAD_INITIALIZER(idle);
static LIST_HEAD(, mlink)	secure[SECURE_LISTS];	/* by plain.id */

static struct known *
place_of(enum forward_kind kind, const char *id)
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
	const struct known	*k = place_of(kind, id);

	if (k->until_ms <= clock_ms() || k->kind != kind ||
	    strcmp(k->id, id) != 0)
		return (0);
	*member = k->member;
	return (1);
}

void
member_note(enum forward_kind kind, const char *id, const char *member)
{
	struct known	*k = place_of(kind, id);

	k->until_ms = clock_ms() + MEMBER_KNOWN_MS;
	k->kind = kind;
	strlcpy(k->id, id, sizeof(k->id));
	strlcpy(k->member, member, sizeof(k->member));
}

void
member_forget(enum forward_kind kind, const char *id)
{
	struct known	*k = place_of(kind, id);

	if (k->kind == kind && strcmp(k->id, id) == 0)
		k->until_ms = 0;
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

/* What was closed here meanwhile is not found, and need not be. */
static void
mlink_said_all(const struct plain *p)
{
	struct mlink	*l;

	LIST_FOREACH(l, &secure[p->id % SECURE_LISTS], by_plain)
		if (l->plain.id == p->id && l->plain.tlsd == p->tlsd)
			l->all = 1;
}

void
mlink_init(void)
{
	plain_on_secure_end(mlink_said_all);
}

int
mlink_has_all(const struct mlink *l)
{
	return (l->plain.id == 0 || l->all);
}

/* A new one (fd taken); NULL when out of memory. */
static struct mlink *
mlink_new(const struct reach *r, int fd, struct plain *plain)
{
	struct mlink	*l;

	if ((l = calloc(1, sizeof(*l))) == NULL) {
		plain_end(plain, 0);
		imsg_close_fd(fd);
		return (NULL);
	}
	l->fd = fd;
	l->plain = *plain;
	if (plain->id != 0)
		LIST_INSERT_HEAD(&secure[plain->id % SECURE_LISTS], l,
		    by_plain);
	strlcpy(l->member, r->member, sizeof(l->member));
	l->client = r->client;
	l->flags = r->flags;
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
		event_want(&l->ev_read, NULL);
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
		event_want(&l->ev_write, NULL);
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

static void
mlink_end(struct mlink *l, int clean)
{
	if (l == NULL)
		return;
	timer_del(&l->idle);
	if (l->waits)
		LIST_REMOVE(l, entry);
	event_del(&l->ev_read);
	event_del(&l->ev_write);
	buf_put(&l->in);
	if (l->plain.id != 0)
		LIST_REMOVE(l, by_plain);
	plain_end(&l->plain, clean);
	imsg_close_fd(l->fd);
	limits_fds(-1);
	free(l);
}

/* What was said has its framing. */
void
mlink_free(struct mlink *l)
{
	mlink_end(l, 1);
}

void
mlink_cut(struct mlink *l)
{
	mlink_end(l, 0);
}

/* ---- a new one ---- */

static void
reach_over(struct reach *r, struct mlink *l, const char *why)
{
	r->then(r->arg, l, l != NULL ? NULL : why);
}

/* What somebody else says of why not, as text for the log. */
static void
reach_failed(struct reach *r, const char *said)
{
	char	why[MESSAGE_SIZE];

	log_escape(why, sizeof(why), said, strlen(said));
	reach_over(r, NULL, why);
}

/* TLS runs: what authd would have said without it comes first. */
static void
reach_in_tls(struct reach *r, int fd, struct plain *plain)
{
	struct mlink	*l = NULL;
	const char	*why = "its header could not be written";
	int		 fl = fcntl(fd, F_GETFL);

	if (fl == -1 || fcntl(fd, F_SETFL, fl | O_NONBLOCK) == -1 ||
	    send(fd, r->head, r->len, MSG_NOSIGNAL) != (ssize_t)r->len) {
		plain_end(plain, 0);
		imsg_close_fd(fd);
	} else {
		l = mlink_new(r, fd, plain);
		why = "out of memory";
	}
	reach_over(r, l, why);
}

static int
reach_secured(struct chan *c, struct imsg *m, void *arg)
{
	struct reach			*r = arg;
	struct msg_secured		 yes;
	struct msg_secure_failed	 no;
	struct plain			 plain = { .tlsd = chan_instance(c) };

	if (m != NULL && m->type == IMSG_SECURED && m->fd != -1 &&
	    get_secured(m, &yes) == 0 && yes.id != 0) {
		plain.id = yes.id;
		reach_in_tls(r, m_take_fd(m), &plain);
	} else if (m == NULL)
		reach_over(r, NULL, "tlsd does not answer");
	else if (get_secure_failed(m, &no) == 0)
		reach_failed(r, no.why);
	else {
		reach_over(r, NULL, "tlsd says what it may not");
		return (-1);
	}
	return (0);
}

/*
 * Connected: as it is, or by way of a tlsd; never plain where TLS is asked for.
 */
static void
reach_connected(struct reach *r, int fd, const struct blob *head)
{
	static struct plain	none;
	int			tls = proc_conf()->cluster_ca_file[0] != '\0';

	if (tls != (head->len > 0)) {
		imsg_close_fd(fd);
		reach_over(r, NULL, tls ? "authd knows of no TLS" :
		    "authd wants TLS, and there is none");
	} else if (!tls)
		reach_over(r, mlink_new(r, fd, &none), "out of memory");
	else {
		memcpy(r->head, head->p, head->len);
		r->len = head->len;
		if (plain_secure(&r->call, fd, r->member, reach_secured, r) ==
		    -1)
			reach_over(r, NULL, "there is no tlsd");
	}
}

static int
reach_forwarded(struct chan *c, struct imsg *m, void *arg)
{
	struct reach			*r = arg;
	struct msg_forwarded		 yes;
	struct msg_forward_failed	 no;

	(void)c;
	if (m != NULL && m->type == IMSG_FORWARDED && m->fd != -1 &&
	    get_forwarded(m, &yes) == 0)
		reach_connected(r, m_take_fd(m), &yes.head);
	else if (m == NULL)
		reach_over(r, NULL, "authd does not answer");
	else if (get_forward_failed(m, &no) == 0)
		reach_failed(r, no.why);
	else {
		reach_over(r, NULL, "authd says what it may not");
		return (-1);
	}
	return (0);
}

void
reach_begin(struct reach *r, const char *request, uint64_t ms)
{
	struct chan	*c = link_chan();
	uint32_t	 id;
	char		 addr[ADDR_SIZE];

	addr_print(&r->client, addr);
	if ((id = call_start(&r->call, c, ms, reach_forwarded, r)) == 0)
		reach_over(r, NULL, "authd is not there");
	else
		(void)say_forward(c, id, -1, &(struct msg_forward){
		    .member = r->member, .addr = addr, .flags = r->flags,
		    .request = request });
}

void
reach_cancel(struct reach *r)
{
	call_cancel(&r->call);
}
