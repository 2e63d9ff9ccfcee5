/* SPDX-License-Identifier: ISC */
/* The life of a connection: handshake, first words, to and fro, one close. */
#include <sys/resource.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "base/log.h"
#include "base/want.h"
#include "certs.h"
#include "client.h"
#include "doors.h"
#include "imsg/imsg.h"
#include "imsg/msg.h"
#include "metrics/count.h"
#include "net/brought.h"
#include "proc/proc.h"
#include "reason.h"

#define BUCKETS		4096	/* a power of two */
#define FDS_OWN		96	/* channels, listeners, log */
#define STOP_MS		5000	/* for what runs when we are told to stop */

static void	client_event(evutil_socket_t, short, void *);
static void	client_expired(void *);
static void	client_signed(void *);
static void	client_handshake(struct client *);
static void	doors_came(void);
static void	door_gone(uint64_t);
static int	door_ended(uint64_t, uint64_t, int);
static void	client_reach(uint64_t, uint32_t, int, const char *);

TAILQ_HEAD(clients, client);

static struct {
	const struct client_ops	*ops;
	struct clients		 live, dead;
	LIST_HEAD(, client)	 by_id[BUCKETS];
	uint64_t		 last;		/* id */
	size_t			 n, most, others;
	int			 stopping;
	int			 shut;		/* none comes any more */
	struct timer		 stop;
} clients = {
	.live = TAILQ_HEAD_INITIALIZER(clients.live),
	.dead = TAILQ_HEAD_INITIALIZER(clients.dead),
};

static const struct door_ops	to_doors = {
	.came = doors_came,
	.ended = door_ended,
	.gone = door_gone,
	.reach = client_reach,
};

void
client_init(const struct client_ops *ops)
{
	clients.ops = ops;
	crowd_init();
	doors_init(&to_doors);
}

/* As many as have two descriptors each. */
static size_t
conns_most(void)
{
	struct rlimit	rl;

	if (clients.most == 0 && getrlimit(RLIMIT_NOFILE, &rl) == 0)
		clients.most = rl.rlim_cur > 2 * FDS_OWN ?
		    (size_t)(rl.rlim_cur - FDS_OWN) / 2 : FDS_OWN / 2;
	return (clients.most);
}

/* Who comes where only members do, and is none, is in the log. */
static void
client_fail(struct client *c, unsigned counter, const char *why)
{
	if (!c->out)		/* doors_failed() counts those */
		count(counter);
	if (!c->out && (c->flags & LISTEN_PEER))
		brought_note(&c->peer, "TLS", why);
	client_close(c, why, 0);
}

static struct client *
client_of(struct seat *s)
{
	return ((struct client *)(void *)((char *)s -
	    offsetof(struct client, seat)));
}

/* Room for one more, others making it if need be? 0 or -1. */
static int
client_admit(const struct addr *a, int trusted)
{
	enum crowd_room	 r;
	struct seat	*s;

	while ((r = crowd_room(a, trusted, clock_ms(), &s)) == CROWD_CLOSE)
		client_fail(client_of(s), CT_TLS_FAIL_ROOM, "makes room");
	if (r == CROWD_ROOM && clients.n + clients.others >=
	    conns_most()) {
		if ((s = crowd_spare(clock_ms())) == NULL)
			return (-1);
		client_fail(client_of(s), CT_TLS_FAIL_ROOM, "makes room");
	}
	return (r == CROWD_ROOM ? 0 : -1);
}

void
client_others(int n)
{
	clients.others += (size_t)n;
}

/* `edge`: EV_ET or 0. */
static void
client_events(struct client *c, short edge)
{
	event_assign(&c->ev_net_read, proc_base(), c->net.fd,
	    EV_READ | EV_PERSIST | edge, client_event, c);
	event_assign(&c->ev_net_write, proc_base(), c->net.fd,
	    EV_WRITE | EV_PERSIST | edge, client_event, c);
}

void
client_half(struct client *c)
{
	if (c->half || c->net.fd == -1)
		return;
	event_del(&c->ev_net_read);
	event_del(&c->ev_net_write);
	c->net_reading = c->net_writing = 0;
	client_events(c, EV_ET);
	c->half = 1;
	client_watch(c);
}

void
client_plain(struct client *c)
{
	event_assign(&c->ev_plain_read, proc_base(), c->plain,
	    EV_READ | EV_PERSIST, client_event, c);
	event_assign(&c->ev_plain_write, proc_base(), c->plain,
	    EV_WRITE | EV_PERSIST, client_event, c);
}

/* It is one of ours now. */
static void
client_begin(struct client *c, int fd, uint64_t ms)
{
	c->net.fd = fd;
	c->plain = -1;
	c->id = ++clients.last;
	c->sign.ready = client_signed;
	c->sign.arg = c;
	client_events(c, 0);
	timer_init(&c->timer, client_expired, c);
	TAILQ_INSERT_TAIL(&clients.live, c, entry);
	LIST_INSERT_HEAD(&clients.by_id[c->id % BUCKETS], c, by_id);
	clients.n++;
	gauge_move(CT_TLS_NEW, 1);
	client_deadline(c, ms);
}

void
client_new(int fd, unsigned listener, uint32_t flags, const struct addr *a,
    int trusted)
{
	/* Members have one place, at nobody's address: none lacks its own. */
	static const struct addr	members = { { 0xff } };
	struct client			*c;

	if (client_admit(a, trusted) == -1) {
		count(CT_TLS_FAIL_CROWDED);
		close(fd);
		return;
	}
	if ((c = calloc(1, sizeof(*c))) == NULL ||
	    (c->net.ssl = certs_begin(listener)) == NULL ||
	    SSL_set_fd(c->net.ssl, fd) != 1 ||
	    crowd_enter(&c->seat, flags & LISTEN_PEER ? &members : a,
	    clock_ms()) == -1) {
		if (c != NULL)
			SSL_free(c->net.ssl);
		free(c);
		close(fd);
		return;
	}
	c->flags = flags;
	c->peer = *a;
	if (flags & LISTEN_PEER) {
		/* As certs_reach() is, and takes no ticket. */
		(void)SSL_set_min_proto_version(c->net.ssl, TLS1_3_VERSION);
		(void)SSL_set_num_tickets(c->net.ssl, 0);
	}
	client_begin(c, fd, CLIENT_HANDSHAKE_MS);
	client_watch(c);
}

/* Room for one more of this proxyd's? NULL, or why not. */
static const char *
reach_admit(uint64_t door)
{
	struct seat	*s;

	if (doors_out(door, 0) >= conns_most() / REACHES_SHARE)
		return ("TLS: its proxyd has too many connections to members");
	if (clients.n + clients.others >= conns_most() &&
	    (s = crowd_spare(clock_ms())) != NULL)
		client_fail(client_of(s), CT_TLS_FAIL_ROOM, "makes room");
	return (clients.n + clients.others < conns_most() ? NULL :
	    "TLS: tlsd has no room");
}

/*
 * To another member of a cluster, on a connection that dialerd has made and
 * authd has granted to a proxyd. It shows no certificate of ours: that we are a
 * member is what the header under the cluster's secret proves, which comes
 * first inside.
 */
static void
client_reach(uint64_t door, uint32_t asked, int fd, const char *member)
{
	struct client	*c = NULL;
	const char	*why = reach_admit(door);

	if (why == NULL && ((c = calloc(1, sizeof(*c))) == NULL ||
	    (c->net.ssl = certs_reach(member)) == NULL ||
	    SSL_set_fd(c->net.ssl, fd) != 1))
		why = "TLS: tlsd cannot begin it";
	if (why != NULL) {
		if (c != NULL)
			SSL_free(c->net.ssl);
		ERR_clear_error();
		free(c);
		imsg_close_fd(fd);
		doors_failed(door, asked, why);
		return;
	}
	c->out = 1;
	c->door = door;
	c->asked = asked;
	(void)doors_out(door, 1);
	client_begin(c, fd, CLIENT_REACH_MS);
	client_handshake(c);
	if (c->state != CLIENT_DEAD)
		client_watch(c);
}

static void
client_toggle(struct event *ev, int on, int is)
{
	if (on && !is)
		event_want(ev, NULL);
	else if (!on && is)
		event_del(ev);
}

/* Each side is read as long as the other takes what comes. */
void
client_watch(struct client *c)
{
	int	net_read = 0, net_write = 0, plain_read = 0, plain_write = 0;

	switch (c->state) {
	case CLIENT_HANDSHAKE:
		net_write = c->net.want_write;
		net_read = !net_write && c->sign.state != SIGN_WAITS;
		break;
	case CLIENT_QUIET:
		net_read = doors_has();
		break;
	case CLIENT_OPEN:
		net_read = c->half || (!c->net_eof && c->to_plain.len == 0);
		net_write = c->to_net.len > 0 || c->net.want_write;
		plain_read = !c->plain_eof && c->to_net.len == 0;
		plain_write = c->to_plain.len > 0;
		break;
	case CLIENT_LINGER:
		net_read = 1;
		break;
	case CLIENT_DEAD:
		return;
	}
	client_toggle(&c->ev_net_read, net_read, c->net_reading);
	client_toggle(&c->ev_net_write, net_write, c->net_writing);
	c->net_reading = (unsigned)net_read;
	c->net_writing = (unsigned)net_write;
	if (c->plain == -1)
		return;
	client_toggle(&c->ev_plain_read, plain_read, c->plain_reading);
	client_toggle(&c->ev_plain_write, plain_write, c->plain_writing);
	c->plain_reading = (unsigned)plain_read;
	c->plain_writing = (unsigned)plain_write;
}

void
client_deadline(struct client *c, uint64_t ms)
{
	timer_set(&c->timer, ms);
}

static void
client_expired(void *arg)
{
	struct client	*c = arg;

	if (c->state == CLIENT_HANDSHAKE)
		client_fail(c, CT_TLS_FAIL_SLOW, c->out ?
		    "TLS: no handshake in time" : "no handshake in time");
	else if (c->state == CLIENT_QUIET && (c->flags & LISTEN_PEER))
		client_fail(c, CT_TLS_FAIL_HEADER, "nothing was said in time");
	else if (c->state == CLIENT_OPEN)
		client_close(c, "nobody said how it ended", 1);
	else
		client_close(c, "timeout", 0);
}

static void
client_event(evutil_socket_t fd, short what, void *arg)
{
	struct client	*c = arg;

	if (c->state == CLIENT_HANDSHAKE)
		client_handshake(c);
	else if (c->state == CLIENT_OPEN && (what & EV_WRITE))
		clients.ops->flush(c);
	else if (c->state != CLIENT_DEAD && fd == c->net.fd)
		clients.ops->net(c);
	else if (c->state == CLIENT_OPEN)
		clients.ops->plain(c);
	if (c->state != CLIENT_DEAD)
		client_watch(c);
}

/* The handshake. */

static void
handshake_over(struct client *c)
{
	int	new = SSL_version(c->net.ssl) == TLS1_3_VERSION;
	int	resumed = SSL_session_reused(c->net.ssl);

	count((new ? CT_TLS_13_FULL : CT_TLS_12_FULL) + (unsigned)resumed);
	log_debug("connection %llu: %s, %s%s", (unsigned long long)c->id,
	    SSL_get_version(c->net.ssl), SSL_get_cipher(c->net.ssl),
	    resumed ? ", resumed" : "");
	(void)SSL_clear_mode(c->net.ssl, SSL_MODE_ASYNC);
	if (c->out) {
		clients.ops->reached(c);
		return;
	}
	c->state = CLIENT_QUIET;
	client_deadline(c, CLIENT_QUIET_MS);
	/* What was said in the same flight is here already. */
	if (doors_has())
		clients.ops->net(c);
}

static void
handshake_failed(struct client *c, int error, int saved)
{
	unsigned long	e = ERR_peek_error();
	const char	*why = ERR_reason_error_string(e);

	ERR_clear_error();
	if (c->out)
		client_close(c, tls_reason(c->net.ssl, why != NULL ? why :
		    saved != 0 ? strerror(saved) : NULL), 0);
	else if (c->sign.state == SIGN_FAILED)
		client_fail(c, CT_TLS_FAIL_UNSIGNED, "not signed");
	else if (error == SSL_ERROR_SYSCALL || error == SSL_ERROR_ZERO_RETURN ||
	    ERR_GET_REASON(e) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
		client_fail(c, CT_TLS_FAIL_CLOSED, saved == 0 ? "closed" :
		    strerror(saved));
	else
		client_fail(c, CT_TLS_FAIL_PROTOCOL, why != NULL ? why :
		    "handshake");
}

/* One step, in a job: what is asked of keyd is this connection's. */
static int
handshake_step(struct client *c, int *saved)
{
	int	r;

	ERR_clear_error();
	errno = 0;
	c->in_job = 1;
	sign_for(&c->sign);
	r = SSL_do_handshake(c->net.ssl);
	sign_for(NULL);
	c->in_job = 0;
	*saved = errno;
	return (r);
}

static void
client_handshake(struct client *c)
{
	int	r, error, saved;

	if (c->sign.state == SIGN_WAITS)
		return;
	r = handshake_step(c, &saved);
	if (c->doomed) {
		client_close(c, "doomed", 0);
		return;
	}
	c->net.want_write = 0;
	if (r == 1) {
		handshake_over(c);
		return;
	}
	switch (error = SSL_get_error(c->net.ssl, r)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_ASYNC:
		return;
	case SSL_ERROR_WANT_WRITE:
		c->net.want_write = 1;
		return;
	default:
		handshake_failed(c, error, saved);
		return;
	}
}

/* keyd has answered, one way or the other. */
static void
client_signed(void *arg)
{
	struct client	*c = arg;

	/* From under sign_ask(), whose channel has just ended: it will see. */
	if (c->in_job || c->state != CLIENT_HANDSHAKE)
		return;
	client_handshake(c);
	if (c->state != CLIENT_DEAD)
		client_watch(c);
}

/* Proxyds. */

static void
doors_came(void)
{
	struct client	*c;

	TAILQ_FOREACH(c, &clients.live, entry)
		if (c->state == CLIENT_QUIET)
			client_watch(c);
}

/* What it had to say it has said; what it has not is no clean end. */
static void
door_gone(uint64_t door)
{
	struct client	*c, *next;

	for (c = TAILQ_FIRST(&clients.live); c != NULL; c = next) {
		next = TAILQ_NEXT(c, entry);
		if (c->door == door && (c->state == CLIENT_OPEN ?
		    c->plain_eof && !c->said : c->asked != 0))
			client_close(c, "its proxyd has gone", 1);
	}
}

static int
door_ended(uint64_t door, uint64_t id, int clean)
{
	struct client	*c;

	if (id == 0 || id > clients.last)
		return (-1);
	LIST_FOREACH(c, &clients.by_id[id % BUCKETS], by_id)
		if (c->id == id)
			break;
	if (c == NULL)
		return (0);		/* the client was faster */
	if (c->door != door || c->said)
		return (-1);
	c->said = 1;
	c->clean = (unsigned)clean;
	if (c->plain_eof)
		clients.ops->ended(c);
	return (0);
}

/* The end. */

/* As proxyd resets: connect(2), AF_UNSPEC. */
static void
client_reset(int fd)
{
	static const struct sockaddr	nobody = { .sa_family = AF_UNSPEC };

	(void)connect(fd, &nobody, sizeof(nobody.sa_family));
}

/*
 * A handshake that waits for keyd is a job that stands still; it has to run to
 * its end before its stack can be used again.
 */
static void
client_unwind(struct client *c)
{
	int	saved;

	if (c->sign.state != SIGN_WAITS)
		return;
	sign_cancel(&c->sign);
	(void)handshake_step(c, &saved);
}

static void
client_release(struct client *c)
{
	freezero(c->to_net.p, c->to_net.off + c->to_net.len);
	freezero(c->to_plain.p, c->to_plain.off + c->to_plain.len);
	memset(&c->to_net, 0, sizeof(c->to_net));
	memset(&c->to_plain, 0, sizeof(c->to_plain));
	SSL_free(c->net.ssl);
	ERR_clear_error();
	c->net.ssl = NULL;
}

void
client_close(struct client *c, const char *why, int reset)
{
	uint32_t	asked = c->asked;

	if (c->state == CLIENT_DEAD)
		return;
	if (c->in_job) {
		c->doomed = 1;		/* from under its own handshake */
		return;
	}
	c->asked = 0;
	log_debug("connection %llu: closed: %s", (unsigned long long)c->id,
	    why);
	if (asked != 0)
		doors_failed(c->door, asked, why);
	client_unwind(c);
	gauge_move(c->plain == -1 ? CT_TLS_NEW : CT_TLS_OPEN, -1);
	c->state = CLIENT_DEAD;
	crowd_leave(&c->seat);
	timer_del(&c->timer);
	event_del(&c->ev_net_read);
	event_del(&c->ev_net_write);
	if (c->plain != -1) {
		event_del(&c->ev_plain_read);
		event_del(&c->ev_plain_write);
		close(c->plain);
	}
	client_release(c);
	if (reset)
		client_reset(c->net.fd);
	if (c->out) {
		imsg_close_fd(c->net.fd);	/* others had it before */
		(void)doors_out(c->door, -1);
	} else
		close(c->net.fd);
	LIST_REMOVE(c, by_id);
	TAILQ_REMOVE(&clients.live, c, entry);
	TAILQ_INSERT_TAIL(&clients.dead, c, entry);
	clients.n--;
}

void
client_reap(void)
{
	struct client	*c;

	while ((c = TAILQ_FIRST(&clients.dead)) != NULL) {
		TAILQ_REMOVE(&clients.dead, c, entry);
		free(c);
	}
	if (clients.n == 0 && (clients.stopping ||
	    (clients.shut && clients.others == 0 && !doors_need_us()))) {
		clients.stopping = clients.shut = 0;	/* we come again */
		proc_exit(0);
	}
}

static void
client_stop_now(void *arg)
{
	(void)arg;
	log_info("stop: %zu connections cut off", clients.n);
	proc_exit(0);
}

void
client_shut(void)
{
	clients.shut = 1;
}

/* Who has not begun need not; the others end with their processes. */
void
client_stop(void)
{
	struct client	*c, *next;

	clients.stopping = 1;
	for (c = TAILQ_FIRST(&clients.live); c != NULL; c = next) {
		next = TAILQ_NEXT(c, entry);
		if (c->state == CLIENT_HANDSHAKE || c->state == CLIENT_QUIET)
			client_close(c, "stopping", 0);
	}
	timer_init(&clients.stop, client_stop_now, NULL);
	timer_set(&clients.stop, STOP_MS);
}
