/* SPDX-License-Identifier: ISC */
/* Who lives: the children by number and by pid. */
#include <stdio.h>
#include <stdlib.h>

#include "base/compat.h"
#include "base/log.h"
#include "imsg/proto.h"
#include "metrics/count.h"
#include "relayd.h"

#define BUCKETS		4096	/* a power of two, about max tunnels */

LIST_HEAD(bucket, child);
TAILQ_HEAD(heard, child);

static struct {
	TAILQ_HEAD(, child)	all;
	struct heard		standing, workers;
	struct bucket		by_instance[BUCKETS], by_pid[BUCKETS];
	uint64_t		next;		/* number of the next instance */
	size_t			count[ROLE_COUNT];
	LIST_HEAD(, child)	doors;
	struct child		*authd;
	size_t			startups;
} children = { .all = TAILQ_HEAD_INITIALIZER(children.all),
	.standing = TAILQ_HEAD_INITIALIZER(children.standing),
	.workers = TAILQ_HEAD_INITIALIZER(children.workers), .next = 1 };

/* Among whom the watchdog looks for it. */
static struct heard *
heard_of(int role)
{
	return (R_STANDING & ROLE_BIT(role) ? &children.standing :
	    &children.workers);
}

/* Rows of a role are found by its number. */
_Static_assert(CT_UP_PAIRD - CT_UP_PARENT == ROLE_PAIRD - ROLE_PARENT &&
    CT_UP_PAIRD - CT_UP_CONTROL == ROLE_PAIRD - ROLE_CONTROL &&
    ROLE_CLIENT == ROLE_PAIRD + 1, "EACH_ROLE (metrics/ids.h)");

void
child_list(struct child *c)
{
	TAILQ_INSERT_TAIL(&children.all, c, entry);
	TAILQ_INSERT_TAIL(heard_of(c->role), c, by_heard);
	LIST_INSERT_HEAD(&children.by_instance[c->instance % BUCKETS], c,
	    by_instance);
	children.count[c->role]++;
	/* One that is to follow another waits until that has gone. */
	if (c->role == ROLE_AUTHD && children.authd == NULL)
		children.authd = c;
	if ((role_info(c->role)->flags & RF_LOGIN) && !c->bound)
		gauge(CT_HANDSHAKES, ++children.startups);
	if (role_info(c->role)->flags & RF_DOORS)
		LIST_INSERT_HEAD(&children.doors, c, of_doors);
}

struct child *
child_new(int role, struct slot *slot, uint64_t nonce)
{
	struct child	*c;

	if ((c = calloc(1, sizeof(*c))) == NULL)
		return (NULL);
	c->role = role;
	c->slot = slot;
	c->nonce = nonce;
	c->instance = children.next++;
	c->protocol = PROTOCOL;
	c->started_ms = c->heard_ms = clock_ms();
	count(CT_STARTED_CONTROL + (unsigned)(role - ROLE_CONTROL));
	child_list(c);
	return (c);
}

/* It has logged in, or ended. */
static void
startup_over(struct child *c)
{
	struct child	*giver = child_find(c->giver);

	gauge(CT_HANDSHAKES, --children.startups);
	if (giver != NULL)
		giver->given--;
	c->giver = 0;
}

void
child_set_pid(struct child *c, pid_t pid)
{
	c->pid = pid;
	LIST_INSERT_HEAD(&children.by_pid[(unsigned)pid % BUCKETS], c, by_pid);
}

void
child_free(struct child *c)
{
	timer_del(&c->deadline);
	chan_free(c->chan);
	if (c->slot != NULL && c->slot->child == c)
		c->slot->child = NULL;
	TAILQ_REMOVE(&children.all, c, entry);
	TAILQ_REMOVE(heard_of(c->role), c, by_heard);
	LIST_REMOVE(c, by_instance);
	if (c->pid != 0)
		LIST_REMOVE(c, by_pid);
	children.count[c->role]--;
	if (c->state == CHILD_READY)
		gauge_move(CT_UP_PARENT + (unsigned)(c->role - ROLE_PARENT),
		    -1);
	if (children.authd == c)
		children.authd = NULL;
	if (role_info(c->role)->flags & RF_DOORS)
		LIST_REMOVE(c, of_doors);
	if ((role_info(c->role)->flags & RF_LOGIN) && !c->bound)
		startup_over(c);
	else if (role_info(c->role)->flags & RF_LOGIN)
		gauge_move(CT_TUNNELS, -1);
	free(c);
}

void
child_set_authd(struct child *c)
{
	children.authd = c;
}

struct child *
child_authd(void)
{
	return (children.authd);
}

struct child *
child_find(uint64_t instance)
{
	struct child	*c;

	LIST_FOREACH(c, &children.by_instance[instance % BUCKETS], by_instance)
		if (c->instance == instance)
			break;
	return (c);
}

struct child *
child_find_pid(pid_t pid)
{
	struct child	*c;

	LIST_FOREACH(c, &children.by_pid[(unsigned)pid % BUCKETS], by_pid)
		if (c->pid == pid)
			break;
	return (c);
}

struct child *
child_after(uint64_t instance)
{
	struct child	*c;

	/* Mostly called with one that lives. */
	if (instance != 0 && (c = child_find(instance)) != NULL)
		return (TAILQ_NEXT(c, entry));
	TAILQ_FOREACH(c, &children.all, entry)
		if (c->instance > instance)
			break;
	return (c);
}

struct child *
child_standing(const struct child *after)
{
	return (after == NULL ? TAILQ_FIRST(&children.standing) :
	    TAILQ_NEXT(after, by_heard));
}

struct child *
child_silent(const struct child *after)
{
	return (after == NULL ? TAILQ_FIRST(&children.workers) :
	    TAILQ_NEXT(after, by_heard));
}

void
child_heard(struct child *c)
{
	struct heard	*list = heard_of(c->role);

	c->heard_ms = clock_ms();
	TAILQ_REMOVE(list, c, by_heard);
	TAILQ_INSERT_TAIL(list, c, by_heard);
}

/* Of the roles with one of these flags, or of all. */
static size_t
count_of(unsigned flags)
{
	size_t	n = 0;
	int	role;

	for (role = 0; role < ROLE_COUNT; role++)
		if (flags == 0 || (role_info(role)->flags & flags))
			n += children.count[role];
	return (n);
}

size_t
child_all(void)
{
	return (count_of(0));
}

void
child_speak(struct child *c, unsigned protocol)
{
	if (c->chan == NULL || c->protocol <= protocol)
		return;
	(void)say_speak(c->chan, 0, -1, &(struct msg_speak){
	    .protocol = protocol });
	c->protocol = protocol;
	c->turning = 1;
	chan_speak(c->chan, protocol);
}

const char *
child_is_behind(void)
{
	static char		 text[96];
	const struct child	*c;

	TAILQ_FOREACH(c, &children.all, entry) {
		if (c->chan == NULL ||
		    (chan_queued(c->chan) == 0 && !c->turning))
			continue;
		snprintf(text, sizeof(text), "%s does not take its messages",
		    child_name(c));
		return (text);
	}
	return (NULL);
}

int
child_was(uint64_t instance)
{
	return (instance != 0 && instance < children.next);
}

size_t
child_count(int role)
{
	return (children.count[role]);
}

size_t
child_startups(void)
{
	return (children.startups);
}

size_t
child_doors(void)
{
	return (count_of(RF_DOORS));
}

size_t
child_given(uint64_t proxyd)
{
	const struct child	*d = child_find(proxyd);

	return (d != NULL ? d->given : 0);
}

size_t
child_startups_seen(uint64_t proxyd, size_t most)
{
	const struct child	*d;
	size_t			 n = 0;

	LIST_FOREACH(d, &children.doors, of_doors)
		n += d->instance == proxyd || d->given < most ? d->given :
		    most;
	return (n);
}

void
child_set_giver(struct child *c, uint64_t proxyd)
{
	struct child	*d = child_find(proxyd);

	if (d == NULL || !(role_info(c->role)->flags & RF_LOGIN))
		return;
	c->giver = proxyd;
	d->given++;
}

void
child_set_bound(struct child *c, const struct msg_bound *in)
{
	if (!c->bound && (role_info(c->role)->flags & RF_LOGIN)) {
		startup_over(c);
		gauge_move(CT_TUNNELS, 1);
		observe_us(CT_HANDSHAKE, (clock_ms() - c->started_ms) * 1000);
	}
	if (c->state == CHILD_READY && c->chan != NULL)
		timer_del(&c->deadline);
	c->bound = 1;
	strlcpy(c->system, in->system, sizeof(c->system));
	strlcpy(c->session, in->session, sizeof(c->session));
	c->generation = in->generation;
	strlcpy(c->addr, in->addr, sizeof(c->addr));
	c->since = in->since;
}

void
child_number_from(uint64_t instance)
{
	if (instance > children.next)
		children.next = instance;
}

uint64_t
child_last(void)
{
	return (children.next - 1);
}

const char *
child_state_name(enum child_state state)
{
	static const char *const	names[] = { "starting", "ready",
	    "stopping" };

	return (names[state]);
}

void
child_set_state(struct child *c, enum child_state state)
{
	log_debug("%s: %s -> %s", child_name(c), child_state_name(c->state),
	    child_state_name(state));
	gauge_move(CT_UP_PARENT + (unsigned)(c->role - ROLE_PARENT),
	    (state == CHILD_READY) - (c->state == CHILD_READY));
	c->state = state;
	if (c->chan != NULL)
		chan_set_state(c->chan, state);
}

const char *
child_name(const struct child *c)
{
	static char	name[64];

	snprintf(name, sizeof(name), "%s[%d] %llu", role_name(c->role),
	    (int)c->pid, (unsigned long long)c->instance);
	return (name);
}
