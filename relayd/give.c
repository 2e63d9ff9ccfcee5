/* SPDX-License-Identifier: ISC */
/*
 * Connections on their way to a room of their own. Only authd says which may
 * go (ADMITTED): a GIVE passes under a nonce that it has said, once. The two
 * come on different channels, so either may be read first: a GIVE waits for a
 * moment. messages.md, section 1.
 */
#include <sys/socket.h>

#include <sodium.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "base/log.h"
#include "metrics/count.h"
#include "relayd.h"

#define PASS_MS		10000	/* from authd's word to the connection */
#define PASSES_MAX	16384	/* that are not used yet: the oldest goes */
#define BUCKETS		1024	/* a power of two */
#define EARLY_MS	2000	/* a GIVE waits for authd's word */
#define NOTE_MS		10000	/* between two lines about refused ones */

/* authd's word. */
struct pass {
	LIST_ENTRY(pass)	 by_nonce;
	TAILQ_ENTRY(pass)	 entry;		/* oldest first */
	uint64_t		 nonce, instance, until_ms;
	uint8_t			 class;
};

/* A GIVE that came before it. */
struct early {
	TAILQ_ENTRY(early)	 entry;		/* oldest first */
	uint64_t		 from, until_ms;
	int			 fd;
	struct msg_give		 give;		/* its texts are those below */
	char			 addr[ADDR_SIZE], accept[ACCEPT_SIZE];
	char			 request[REQUEST_SIZE];
	uint8_t			 bytes[];
};

LIST_HEAD(passes, pass);

static struct {
	struct passes		 by_nonce[BUCKETS];
	TAILQ_HEAD(, pass)	 passes;
	size_t			 npasses;
	TAILQ_HEAD(, early)	 early;
	struct timer		 timer;		/* the first early one's */
	uint64_t		 noted_ms;
	unsigned long		 refused;	/* since then */
} gives = {
	.passes = TAILQ_HEAD_INITIALIZER(gives.passes),
	.early = TAILQ_HEAD_INITIALIZER(gives.early),
};

static void	give_refuse(int, const char *);
static void	give_answer_no(int, const char *);
static void	early_due(void *);

/* What authd has said. */

static void
pass_free(struct pass *p)
{
	LIST_REMOVE(p, by_nonce);
	TAILQ_REMOVE(&gives.passes, p, entry);
	gives.npasses--;
	free(p);
}

static void
pass_sweep(void)
{
	struct pass	*p;

	while ((p = TAILQ_FIRST(&gives.passes)) != NULL &&
	    (p->until_ms <= clock_ms() || gives.npasses >= PASSES_MAX))
		pass_free(p);
}

static struct pass *
pass_find(uint64_t nonce)
{
	struct pass	*p;

	pass_sweep();
	LIST_FOREACH(p, &gives.by_nonce[nonce % BUCKETS], by_nonce)
		if (p->nonce == nonce)
			break;
	return (p);
}

static void
pass_add(uint64_t nonce, uint64_t instance, uint8_t class, uint64_t until_ms)
{
	struct pass	*p;

	pass_sweep();
	if ((p = calloc(1, sizeof(*p))) == NULL)
		return;		/* the connection hears 503 */
	p->nonce = nonce;
	p->instance = instance;
	p->class = class;
	p->until_ms = until_ms;
	LIST_INSERT_HEAD(&gives.by_nonce[p->nonce % BUCKETS], p, by_nonce);
	TAILQ_INSERT_TAIL(&gives.passes, p, entry);
	gives.npasses++;
}

/* Where they go. */

/* Is one more of this class too many, or too many of this proxyd's? */
static int
give_is_full(const struct class_info *class, uint64_t from)
{
	const struct conf	*conf = &env()->conf;
	uint64_t		 cap = conf->startups_full;

	if (role_info(class->role)->flags & RF_RELAY)
		cap += conf->relay_sessions;
	if (class->startups) {
		cap += conf->max_tunnels;
		if (limits_share(conf, child_doors(), child_given(from)) ||
		    limits_drop(conf, child_startups_seen(from,
		    limits_seen(conf, child_doors())),
		    randombytes_uniform(100)))
			return (1);
	}
	return (child_count(class->role) >= cap);
}

static void
give_send(struct child *c, const struct msg_give *g, int fd)
{
	struct msg_give	out = *g;

	out.instance = c->instance;
	(void)say_give(c->chan, 0, fd, &out);
}

static void
give_new(const struct msg_give *g, uint64_t from, int fd)
{
	const struct class_info	*class = class_info(g->class);
	struct child		*c;

	if (role_info(class->role)->many != MANY_DEMAND) {
		give_refuse(fd, "no worker");
		return;
	}
	if (give_is_full(class, from)) {
		count(CT_REFUSED_FULL);
		give_answer_no(fd, class->full);
		return;
	}
	c = spawn_child(class->role, NULL, g->nonce);
	if (c == NULL) {
		give_refuse(fd, "no worker");
		return;
	}
	child_set_giver(c, from);
	give_send(c, g, fd);
}

static void
give_known(const struct msg_give *g, int fd)
{
	struct child	*c = child_find(g->instance);

	if (c == NULL || c->chan == NULL || c->state == CHILD_STOPPING ||
	    c->role != class_info(g->class)->role)
		give_refuse(fd, "the worker has gone");
	else
		give_send(c, g, fd);
}

/* The bytes are the peer's, and nobody here reads them. */
static void
give_pass(const struct msg_give *g, uint64_t from, int fd)
{
	if (env()->stopping || child_authd() == NULL)
		give_refuse(fd, "stopping or starting");
	else if (g->instance == 0)
		give_new(g, from, fd);
	else
		give_known(g, fd);
}

static int
pass_is_for(const struct pass *p, const struct msg_give *g)
{
	return (p->class == g->class && p->instance == g->instance);
}

/* GIVEs that came first. */

static void
early_free(struct early *e)
{
	TAILQ_REMOVE(&gives.early, e, entry);
	freezero(e, sizeof(*e) + e->give.bytes.len);
}

static unsigned
early_count(uint64_t from)
{
	const struct early	*e;
	unsigned		 n = 0;

	TAILQ_FOREACH(e, &gives.early, entry)
		n += e->from == from;
	return (n);
}

static void
early_add(const struct msg_give *g, uint64_t from, int fd)
{
	struct early	*e = NULL;

	if (early_count(from) < GIVES_EARLY)
		e = calloc(1, sizeof(*e) + g->bytes.len);
	if (e == NULL) {
		give_refuse(fd, "authd has not said yes");
		return;
	}
	e->from = from;
	e->fd = fd;
	e->give = *g;
	strlcpy(e->addr, g->addr, sizeof(e->addr));
	strlcpy(e->accept, g->accept, sizeof(e->accept));
	strlcpy(e->request, g->request, sizeof(e->request));
	memcpy(e->bytes, g->bytes.p, g->bytes.len);
	e->give.addr = e->addr;
	e->give.accept = e->accept;
	e->give.request = e->request;
	e->give.bytes.p = e->bytes;
	e->until_ms = clock_ms() + EARLY_MS;
	TAILQ_INSERT_TAIL(&gives.early, e, entry);
	if (timer_is_set(&gives.timer))
		return;
	timer_init(&gives.timer, early_due, NULL);
	timer_set(&gives.timer, EARLY_MS);
}

static void
early_due(void *arg)
{
	struct early	*e;
	uint64_t	 now = clock_ms();

	(void)arg;
	while ((e = TAILQ_FIRST(&gives.early)) != NULL && e->until_ms <= now) {
		give_refuse(e->fd, "authd has not said yes");
		early_free(e);
	}
	if (e != NULL)
		timer_set(&gives.timer, e->until_ms - now);
}

static void
early_pass(struct early *e, struct pass *p)
{
	struct child	*c = child_find(e->from);

	if (pass_is_for(p, &e->give)) {
		give_pass(&e->give, e->from, e->fd);
	} else {
		give_refuse(e->fd, "not what authd has said");
		if (c != NULL)
			kill_child(c, "GIVE: not what authd has said");
	}
	early_free(e);
	pass_free(p);
}

int
give_on_admitted(struct chan *chan, struct imsg *m)
{
	struct msg_admitted	 in;
	struct early		*e;
	struct pass		*p;

	(void)chan;
	if (get_admitted(m, &in) == -1 || in.status != 0 || in.nonce == 0 ||
	    class_info(in.class) == NULL || pass_find(in.nonce) != NULL)
		return (-1);
	pass_add(in.nonce, in.instance, in.class, clock_ms() + PASS_MS);
	TAILQ_FOREACH(e, &gives.early, entry)
		if (e->give.nonce == in.nonce)
			break;
	if (e != NULL && (p = pass_find(in.nonce)) != NULL)
		early_pass(e, p);
	return (0);
}

int
give_on_give(struct chan *chan, struct imsg *m)
{
	struct msg_give	 in;
	struct child	*authd;
	struct pass	*p;
	uint64_t	 from = chan_instance(chan);

	if (get_give(m, &in) == -1 || class_info(in.class) == NULL ||
	    in.nonce == 0)
		return (-1);
	(void)imsg_disarm_fd(m->fd);	/* its last close() may be ours */
	if ((p = pass_find(in.nonce)) == NULL) {
		early_add(&in, from, m_take_fd(m));
		/* authd spoke to us first: mostly its word is here, unread. */
		if ((authd = child_authd()) != NULL && authd->chan != NULL)
			chan_pump(authd->chan);
		return (0);
	}
	if (!pass_is_for(p, &in))
		return (-1);
	pass_free(p);
	give_pass(&in, from, m_take_fd(m));
	return (0);
}

int
give_is_waiting(void)
{
	return (!TAILQ_EMPTY(&gives.early));
}

void
give_each(void (*fn)(void *, uint64_t, uint64_t, uint8_t, uint64_t), void *arg)
{
	const struct pass	*p;

	pass_sweep();
	TAILQ_FOREACH(p, &gives.passes, entry)
		fn(arg, p->nonce, p->instance, p->class, p->until_ms);
}

void
give_expect(uint64_t nonce, uint64_t instance, uint8_t class,
    uint64_t until_ms)
{
	uint64_t	now = clock_ms();

	if (nonce != 0 && class_info(class) != NULL && until_ms > now &&
	    until_ms <= now + PASS_MS && pass_find(nonce) == NULL)
		pass_add(nonce, instance, class, until_ms);
}

void
give_clear(void)
{
	struct early	*e;
	struct pass	*p;

	while ((p = TAILQ_FIRST(&gives.passes)) != NULL)
		pass_free(p);
	while ((e = TAILQ_FIRST(&gives.early)) != NULL) {
		imsg_drop_fd(e->fd);
		early_free(e);
	}
}

/* No. */

/* A flood of connections must not become a flood of lines. */
static void
refused_note(const char *why)
{
	uint64_t	now = clock_ms();

	gives.refused++;
	if (gives.noted_ms != 0 && now - gives.noted_ms < NOTE_MS)
		return;
	log_info("%lu %s refused, the last: %s; %zu workers not logged in",
	    gives.refused, gives.refused == 1 ? "connection" : "connections",
	    why, child_startups());
	gives.noted_ms = now;
	gives.refused = 0;
}

static void
give_refuse(int fd, const char *why)
{
	count(CT_REFUSED_OTHER);
	give_answer_no(fd, why);
}

/* All that the parent ever says on the network. */
static void
give_answer_no(int fd, const char *why)
{
	static const char	reply[] =
	    "HTTP/1.1 503 Service Unavailable\r\n"
	    "Content-Type: application/json\r\n"
	    "Content-Length: 57\r\n"
	    "Retry-After: 5\r\n"
	    "Connection: close\r\n"
	    "\r\n"
	    "{\"code\":503,\"message\":\"too many connections\","
	    "\"data\":null}";

	refused_note(why);
	if (send(fd, reply, sizeof(reply) - 1, MSG_DONTWAIT | MSG_NOSIGNAL) ==
	    -1)
		log_debug("connection refused: %s", strerror(errno));
	(void)shutdown(fd, SHUT_WR);
	imsg_drop_fd(fd);
}
