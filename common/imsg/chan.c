/* SPDX-License-Identifier: ISC */
/*
 * Channels: a packet socket, its queue, its waiting calls, on the event loop.
 */
#include <sys/queue.h>

#include <event2/event.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compat.h"
#include "imsg.h"
#include "base/log.h"
#include "base/want.h"
#include "msg.h"
#include "proto.h"

#define READ_BURST	64	/* messages taken before others get a turn */
#define RETRY_MS	50	/* the kernel is short of something */

struct packet {
	TAILQ_ENTRY(packet)	 entry;
	size_t			 len, cap;
	int			 fd;
	uint8_t			 data[];
};

struct call {
	TAILQ_ENTRY(call)	 entry;
	struct chan		*chan;
	struct timer		 deadline;
	uint32_t		 id;
	chan_done_fn		 done;
	void			*arg;
};

struct chan {
	/* set once */
	int			 fd, role;
	const struct dispatch	*table;
	size_t			 rows;
	chan_closed_fn		 closed;
	void			*arg;
	uint64_t		 instance;
	struct event		*ev_read, *ev_write;
	struct timer		 retry;		/* sending, after a shortage */
	/* state */
	int			 state, is_closed, corked, freed;
	const char		*doom;		/* why the loop will close it */
	int			 doom_offence;
	int			 busy;		/* frames that hold a pointer */
	uint64_t		 seen;		/* MF_ONCE rows */
	unsigned		 speaks, hears;	/* protocols; 0: ours */
	int			 guesses;	/* which, by the first message */
	TAILQ_HEAD(, packet)	 queue;
	size_t			 queued;	/* packet_cost() of all */
	TAILQ_HEAD(, call)	 calls;
	size_t			 ncalls;
	uint32_t		 next_id;
	uint32_t		 lacking;	/* id of an answer without a part */
	/* statistics */
	unsigned long		 late;
};

static int	must_say;	/* see chan_must_say() */

static void	chan_read(evutil_socket_t, short, void *);
static void	chan_write(evutil_socket_t, short, void *);
static void	chan_retry(void *);
static void	chan_close(struct chan *, int, const char *);
static void	chan_doom(struct chan *, int, const char *);
static void	chan_release(struct chan *);
static int	chan_send_some(struct chan *);
static int	chan_receive(struct chan *, const uint8_t *, size_t, int);
static int	chan_answer(struct chan *, struct imsg *);
static void	call_expired(void *);
static int	call_finish(struct call *, struct imsg *);

struct chan *
chan_new(struct event_base *base, int fd, int role,
    const struct dispatch *table, size_t rows, chan_closed_fn closed, void *arg)
{
	const char	*wrong;
	struct chan	*c;

	if ((wrong = imsg_table(table, rows)) != NULL)
		fatalx("messages from %s: %s", role_name(role), wrong);
	if ((c = calloc(1, sizeof(*c))) == NULL) {
		close(fd);
		return (NULL);
	}
	c->fd = fd;
	c->role = role;
	c->table = table;
	c->rows = rows;
	c->closed = closed;
	c->arg = arg;
	TAILQ_INIT(&c->queue);
	TAILQ_INIT(&c->calls);
	timer_init(&c->retry, chan_retry, c);
	c->ev_read = event_new(base, fd, EV_READ | EV_PERSIST, chan_read, c);
	c->ev_write = event_new(base, fd, EV_WRITE, chan_write, c);
	if (c->ev_read == NULL || c->ev_write == NULL ||
	    event_add(c->ev_read, NULL) == -1) {
		chan_free(c);
		return (NULL);
	}
	return (c);
}

/* The memory it takes, not what it carries: many are much smaller. */
static size_t
packet_cost(const struct packet *p)
{
	return (sizeof(*p) + p->cap);
}

static void
packet_free(struct packet *p)
{
	if (p == NULL)
		return;
	imsg_drop_fd(p->fd);
	explicit_bzero(p->data, p->len);	/* it may have held a secret */
	free(p);
}

/*
 * Everything but the struct itself, which a frame up the stack may still use.
 */
static void
chan_shut(struct chan *c)
{
	struct packet	*p;
	struct call	*k;

	c->is_closed = 1;
	if (c->ev_read != NULL)
		event_free(c->ev_read);
	if (c->ev_write != NULL)
		event_free(c->ev_write);
	c->ev_read = c->ev_write = NULL;
	timer_del(&c->retry);
	if (c->fd != -1) {
		imsg_drain(c->fd);	/* what nobody reads any more */
		close(c->fd);
	}
	c->fd = -1;
	while ((p = TAILQ_FIRST(&c->queue)) != NULL) {
		TAILQ_REMOVE(&c->queue, p, entry);
		packet_free(p);
	}
	c->queued = 0;
	while ((k = TAILQ_FIRST(&c->calls)) != NULL)
		(void)call_finish(k, NULL);
}

static void
chan_release(struct chan *c)
{
	if (--c->busy == 0 && c->freed)
		free(c);
}

void
chan_free(struct chan *c)
{
	if (c == NULL || c->freed)
		return;
	c->freed = 1;
	c->busy++;
	chan_shut(c);
	chan_release(c);
}

/* The one way a channel ends by itself. */
static void
chan_close(struct chan *c, int offence, const char *reason)
{
	if (c->is_closed)
		return;
	c->busy++;
	chan_shut(c);
	if (!c->freed)
		c->closed(c, offence, reason);
	chan_release(c);
}

/*
 * Sending failed. The owner is told from the event loop, not from under the
 * feet of the handler that sends.
 */
static void
chan_doom(struct chan *c, int offence, const char *reason)
{
	if (c->doom != NULL || c->is_closed)
		return;
	c->doom = reason;
	c->doom_offence = offence;
	event_active(c->ev_write, EV_WRITE, 0);
}

void *
chan_arg(const struct chan *c)
{
	return (c->arg);
}

void
chan_set_arg(struct chan *c, void *arg)
{
	c->arg = arg;
}

int
chan_role(const struct chan *c)
{
	return (c->role);
}

int
chan_state(const struct chan *c)
{
	return (c->state);
}

void
chan_set_state(struct chan *c, int state)
{
	c->state = state;
}

uint64_t
chan_instance(const struct chan *c)
{
	return (c->instance);
}

void
chan_set_instance(struct chan *c, uint64_t instance)
{
	c->instance = instance;
}

int
chan_is_closed(const struct chan *c)
{
	return (c->is_closed);
}

unsigned long
chan_late_answers(const struct chan *c)
{
	return (c->late);
}

void
chan_speak(struct chan *c, unsigned protocol)
{
	c->speaks = protocol == PROTOCOL ? 0 : protocol;
}

void
chan_hear(struct chan *c, unsigned protocol)
{
	c->hears = protocol == PROTOCOL ? 0 : protocol;
}

void
chan_guess(struct chan *c)
{
	c->guesses = 1;
}

size_t
chan_calls(const struct chan *c)
{
	return (c->ncalls);
}

int
chan_fd(const struct chan *c)
{
	return (c->fd);
}

size_t
chan_queued(const struct chan *c)
{
	return (c->queued);
}

/* Receiving. */

void
chan_pump(struct chan *c)
{
	if (!c->is_closed && c->busy == 0)
		chan_read(c->fd, 0, c);
}

static void
chan_read(evutil_socket_t fd, short what, void *arg)
{
	static uint8_t	 buf[IMSG_MAX];
	struct chan	*c = arg;
	int		 i, passed;
	long		 n;

	(void)what;
	c->busy++;
	for (i = 0; i < READ_BURST && !c->is_closed; i++) {
		n = imsg_recv(fd, buf, &passed);
		if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		/*
		 * The far end went with unread messages of ours: this is told
		 * once, and what it sent before is still to be read.
		 */
		if (n == -1 && errno == ECONNRESET)
			continue;
		if (n == -1 && errno == EMFILE) {
			log_warnx("message from %s dropped: no room for its "
			    "descriptor", role_name(c->role));
			continue;
		}
		if (n == -1 && (errno == EBADMSG || errno == EMSGSIZE)) {
			chan_close(c, 1, errno == EBADMSG ?
			    "surplus descriptors" : "message too long");
			break;
		}
		if (n <= 0) {
			chan_close(c, 0, n == 0 ? "end of channel" :
			    strerror(errno));
			break;
		}
		i += chan_receive(c, buf, (size_t)n, passed) == -1 ?
		    READ_BURST : 0;
		explicit_bzero(buf, (size_t)n);
	}
	chan_release(c);
}

static int
is_in_table(const struct chan *c, uint32_t type)
{
	size_t	i;

	for (i = 0; i < c->rows; i++)
		if (c->table[i].type == type)
			return (1);
	return (0);
}

/* What nobody may say here, but could in the protocol before: that is it. */
static void
guess(struct chan *c, uint32_t number)
{
	c->guesses = 0;
	if (PROTOCOL == 1 || is_in_table(c, number) ||
	    !is_in_table(c, proto_type(PROTOCOL - 1, number)))
		return;
	chan_speak(c, PROTOCOL - 1);
	chan_hear(c, PROTOCOL - 1);
}

static int
chan_receive(struct chan *c, const uint8_t *buf, size_t len, int fd)
{
	const struct dispatch	*d = NULL;
	struct imsg		 m = { .fd = fd };
	const char		*reason = NULL;
	char			 text[128];
	int			 r = -1;

	if (imsg_parse(&m, buf, len, &reason) == 0) {
		if (c->guesses)
			guess(c, m.type);
		m.protocol = c->hears;
		m.type = proto_type(c->hears, m.type);
		d = imsg_check(&m, c->table, c->rows, c->role, c->state,
		    &c->seen, &reason);
	}
	if (d != NULL)
		r = (d->flags & MF_ANSWER) ? chan_answer(c, &m) : d->fn(c, &m);
	log_request(NULL);
	imsg_drop_fd(m.fd);
	if (r == 0)
		return (0);
	snprintf(text, sizeof(text), "%s from %s: %s", imsg_name(m.type),
	    role_name(c->role), reason != NULL ? reason : "malformed");
	chan_close(c, 1, text);
	return (-1);
}

/* Calls. */

uint32_t
chan_call(struct chan *c, uint64_t deadline_ms, chan_done_fn done, void *arg)
{
	struct call	*k;

	if (c->is_closed || c->ncalls >= CHAN_CALLS_MAX ||
	    (k = calloc(1, sizeof(*k))) == NULL)
		return (0);
	if (++c->next_id == 0)
		c->next_id = 1;
	k->chan = c;
	k->id = c->next_id;
	k->done = done;
	k->arg = arg;
	timer_init(&k->deadline, call_expired, k);
	timer_set(&k->deadline, deadline_ms);
	TAILQ_INSERT_TAIL(&c->calls, k, entry);
	c->ncalls++;
	return (k->id);
}

static int
call_finish(struct call *k, struct imsg *m)
{
	struct chan	*c = k->chan;
	chan_done_fn	 done = k->done;
	void		*arg = k->arg;

	timer_del(&k->deadline);
	TAILQ_REMOVE(&c->calls, k, entry);
	c->ncalls--;
	free(k);
	return (done(c, m, arg));
}

static void
call_expired(void *arg)
{
	struct call	*k = arg;
	struct chan	*c = k->chan;

	c->busy++;
	(void)call_finish(k, NULL);
	chan_release(c);
}

/* The oldest is nearly always the one that is answered. */
static struct call *
call_find(struct chan *c, uint32_t id)
{
	struct call	*k;

	TAILQ_FOREACH(k, &c->calls, entry)
		if (k->id == id)
			break;
	return (k);
}

static int
chan_answer(struct chan *c, struct imsg *m)
{
	struct call	*k;

	if ((k = call_find(c, m->id)) == NULL) {
		c->late++;
		return (0);
	}
	return (call_finish(k, m));
}

void
chan_call_cancel(struct chan *c, uint32_t id)
{
	struct call	*k;

	if ((k = call_find(c, id)) == NULL)
		return;
	timer_del(&k->deadline);
	TAILQ_REMOVE(&c->calls, k, entry);
	c->ncalls--;
	free(k);
}

/* Sending. */

/* Take a packet and send it, now or when it is its turn. */
static int
chan_enqueue(struct chan *c, struct packet *p)
{
	if (c->is_closed || c->doom != NULL) {
		packet_free(p);
		return (-1);
	}
	if (c->queued + packet_cost(p) > CHAN_QUEUE_MAX) {
		packet_free(p);
		chan_doom(c, 1, "does not read its messages");
		return (-1);
	}
	TAILQ_INSERT_TAIL(&c->queue, p, entry);
	c->queued += packet_cost(p);
	if (!c->corked && TAILQ_FIRST(&c->queue) == p)
		return (chan_send_some(c));
	return (0);
}

void
chan_must_say(void)
{
	must_say = 1;
}

/* Behind it there comes more of the same answer. */
static int
is_part(uint32_t type)
{
	return (type == IMSG_CTL_ROW || type == IMSG_CTL_TEXT ||
	    type == IMSG_DOC_CHUNK || type == IMSG_PROCESS ||
	    type == IMSG_JWK_KEY);
}

/* Nobody waits for it, though it has the id of what was asked once. */
static int
is_told(uint32_t type)
{
	return (type == IMSG_EVENT || type == IMSG_EVENTS_END);
}

/*
 * Whoever says it looks whether it could be said, or it is said again; or all of it
 * is a connection, whose end tells that.
 */
static int
is_looked_after(uint32_t type)
{
	return (type == IMSG_CREDIT_BACK || type == IMSG_REFUSED_ALONE ||
	    type == IMSG_RELAY_STATS || type == IMSG_TUNNEL_STATS ||
	    type == IMSG_PING || type == IMSG_PONG ||
	    type == IMSG_PLAIN || type == IMSG_GIVE);
}

/*
 * There was no memory for it. Who asks waits for an answer until it is late, which
 * for relayctl is half a minute: its connection ends instead. What is told without
 * being asked for is not missed by anybody, and the two would go by different
 * things from then on.
 */
static void
chan_lacks(struct chan *c, uint32_t type, uint32_t id)
{
	int	own = c->role != ROLE_CLIENT;
	int	missed = (id != 0 && !is_told(type)) || is_looked_after(type);

	if (is_part(type))
		c->lacking = id;
	if (must_say && own && !missed)
		fatalx("%s to %s: out of memory", imsg_name(type),
		    role_name(c->role));
	log_warnx("%s to %s: out of memory", imsg_name(type),
	    role_name(c->role));
	if (!own || !missed)
		chan_doom(c, 0, "out of memory");
}

int
chan_say(struct chan *c, uint32_t type, uint32_t id, int fd, const void *m)
{
	struct packet	*p = NULL;
	long		 n = msg_put_as(c->speaks, type, m, NULL, 0);
	uint32_t	 number = proto_number(c->speaks, type);
	size_t		 len = IMSG_HDR + (size_t)n;

	if (number == IMSG_NONE) {
		log_debug("%s to %s: not in its protocol", imsg_name(type),
		    role_name(c->role));
		imsg_drop_fd(fd);
		return (0);
	}
	if (n == -1)
		log_warnx("%s to %s: a field crosses its limit",
		    imsg_name(type), role_name(c->role));
	else if (id == 0 || id != c->lacking)
		if ((p = malloc(sizeof(*p) + len)) == NULL)
			chan_lacks(c, type, id);
	if (p == NULL) {
		imsg_drop_fd(fd);
		return (-1);
	}
	p->len = p->cap = len;
	p->fd = fd;
	memcpy(p->data, &number, 4);
	memcpy(p->data + 4, &id, 4);
	(void)msg_put_as(c->speaks, type, m, p->data + IMSG_HDR, (size_t)n);
	return (chan_enqueue(c, p));
}

/* Gone, or never to go. */
static void
chan_dequeue(struct chan *c, struct packet *p, int sent)
{
	TAILQ_REMOVE(&c->queue, p, entry);
	c->queued -= packet_cost(p);
	if (sent) {
		imsg_close_fd(p->fd);
		p->fd = -1;
	}
	packet_free(p);
}

/*
 * Send until the socket is full; 0, or -1 when the channel will end. Of a
 * shortage in the kernel, one of them too many descriptors on their way, the
 * socket tells no end: it stays writable, so time has to.
 */
static int
chan_send_some(struct chan *c)
{
	struct packet	*p;

	timer_del(&c->retry);
	while ((p = TAILQ_FIRST(&c->queue)) != NULL) {
		if (imsg_send(c->fd, p->data, p->len, p->fd) == 0) {
			chan_dequeue(c, p, 1);
			continue;
		}
		switch (errno) {
		case EAGAIN:
			event_want(c->ev_write, NULL);
			return (0);
		case ETOOMANYREFS:
		case ENOBUFS:
		case ENOMEM:
			timer_set(&c->retry, RETRY_MS);
			return (0);
		case EPIPE:
		case ECONNRESET:
			/* What it sent before it went is still to be read. */
			chan_dequeue(c, p, 0);
			break;
		default:
			chan_doom(c, 0, strerror(errno));
			return (-1);
		}
	}
	return (0);
}

static void
chan_write(evutil_socket_t fd, short what, void *arg)
{
	struct chan	*c = arg;

	(void)fd;
	(void)what;
	if (c->doom != NULL)
		chan_close(c, c->doom_offence, c->doom);
	else if (!c->corked)
		(void)chan_send_some(c);
}

static void
chan_retry(void *arg)
{
	struct chan	*c = arg;

	if (!c->corked)
		(void)chan_send_some(c);
}

void
chan_cork(struct chan *c)
{
	c->corked = 1;
}

void
chan_uncork(struct chan *c)
{
	c->corked = 0;
	if (!c->is_closed)
		(void)chan_send_some(c);
}

int
chan_flush(struct chan *c)
{
	struct pollfd	pfd = { c->fd, POLLOUT, 0 };
	uint64_t	start = clock_ms();

	while (!c->is_closed && !TAILQ_EMPTY(&c->queue)) {
		if (chan_send_some(c) == -1 ||
		    clock_ms() - start > CHAN_FLUSH_MS)
			return (-1);
		if (TAILQ_EMPTY(&c->queue))
			break;
		if (timer_is_set(&c->retry))
			(void)poll(NULL, 0, RETRY_MS);
		else if (poll(&pfd, 1, CHAN_FLUSH_MS) <= 0)
			return (-1);
	}
	return (c->is_closed ? -1 : 0);
}
