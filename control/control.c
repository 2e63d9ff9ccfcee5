/* SPDX-License-Identifier: ISC */
/*
 * control: reads relayctl's socket, so that root does not. It may touch that
 * socket (bound by the parent), its clients, and its two channels. From clients
 * (state CLIENT_OPEN) it takes one type, CTL, checks it, and forwards it to
 * authd or to the parent; their rows go back as they come. A client's mistake
 * closes the client, never the daemon. It starts in main(), clients in
 * client_accept(); client_close() ends each.
 */
#include <sys/socket.h>
#include <sys/queue.h>

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compat.h"
#include "ctl/ctl.h"
#include "imsg/call.h"
#include "base/log.h"
#include "base/want.h"
#include "proc/link.h"
#include "proc/proc.h"
#include "proc/request.h"

#define CLIENTS_MAX	32	/* at once */
#define CLIENTS_UID	8	/* of one user */
#define REQUESTS_CLIENT	8	/* waiting for an answer, of one client */
#define DEADLINE_MS	10000
#define RELOAD_MS	15000	/* children have 5 s to judge, and may be many */
#define FILES		(CLIENTS_MAX + 32)
#define PAUSE_MS	1000	/* when descriptors ran out */

struct client {
	TAILQ_ENTRY(client)	 entry;
	/* set once */
	struct chan		*chan;
	uid_t			 uid;
	pid_t			 pid;
	int			 readonly;	/* the socket it came by is */
	/* state */
	unsigned		 waiting;	/* requests */
};

/* One request on its way: whose it is, and where it was asked. */
#define REQUEST_TEXT	256

struct request {
	TAILQ_ENTRY(request)	 entry;
	struct client		*client;	/* NULL: has gone */
	uint32_t		 client_id;	/* its id there */
	struct call		 call;		/* and where it was asked */
	unsigned		 op;
	uid_t			 uid;
	char			 object[CTL_WORD_SIZE];	/* its first word */
	char			 what[REQUEST_TEXT];	/* for the log */
	char			 request[REQUEST_SIZE];
};

static int	on_row(struct chan *, struct imsg *);
static int	on_text(struct chan *, struct imsg *);
static int	on_request(struct chan *, struct imsg *);

static const struct dispatch	from_parent[] = {
	/* type, from, states, flags, handler */
	PROC_ROWS
	PROC_LEAVE_ROW
	PROC_RELOAD_ROWS
	{ IMSG_CTL_ROW, R_PARENT, S_ANY, MF_REQUEST, on_row },
	{ IMSG_CTL_DONE, R_PARENT, S_ANY, MF_ANSWER, NULL },
};

static const struct dispatch	from_authd[] = {
	{ IMSG_CTL_ROW, R_AUTHD, S_ANY, MF_REQUEST, on_row },
	{ IMSG_CTL_TEXT, R_AUTHD, S_ANY, MF_REQUEST, on_text },
	{ IMSG_CTL_DONE, R_AUTHD, S_ANY, MF_ANSWER, NULL },
};

static const struct dispatch	from_client[] = {
	{ IMSG_CTL, R_CLIENT, S_ANY, MF_REQUEST, on_request },
};

#define ROWS(table)	(sizeof(table) / sizeof((table)[0]))

/* What was asked of one that has gone is answered with 503. */
static const struct link_ops	authd = {
	.table = from_authd,
	.rows = ROWS(from_authd),
};

/* A control socket. */
struct listener {
	int			 fd;
	int			 readonly;
	struct event		*ev;
};
#define LISTENERS_MAX	2	/* one for everything, one to look */

static struct {
	struct listener		 listeners[LISTENERS_MAX];
	unsigned		 nlisteners;
	int			 leaving;	/* with the last client */
	struct timer		 leave;
	struct timer		 resume;
	TAILQ_HEAD(, client)	 clients;
	unsigned		 nclients;
	TAILQ_HEAD(, request)	 requests;
} control;

static int	control_listener(int, uint32_t, const char *);
static void	control_leave(uint32_t);
static void	control_run(void);
static void	client_accept(evutil_socket_t, short, void *);
static void	client_closed(struct chan *, int, const char *);
static void	client_close(struct client *, const char *);
static void	client_done(struct chan *, uint32_t, unsigned, const char *);
static void	request_forward(struct client *, uint32_t,
		    const struct msg_ctl *);
static int	request_done(struct chan *, struct imsg *, void *);
static void	request_free(struct request *);
static void	accept_resume(void *);

static const struct proc_ops	ops = {
	.role = ROLE_CONTROL,
	.table = from_parent,
	.rows = ROWS(from_parent),
	.files = FILES,
	.listener = control_listener,
	.leave = control_leave,
	.channel = link_take,
	.run = control_run,
};

int
main(int argc, char **argv)
{
	TAILQ_INIT(&control.clients);
	TAILQ_INIT(&control.requests);
	link_init(&authd);
	proc_main(&ops, argc, argv);
}

/* Start-up. */

static int
control_listener(int fd, uint32_t flags, const char *address)
{
	struct listener	*l;

	(void)address;
	if (control.nlisteners == LISTENERS_MAX) {
		close(fd);
		return (-1);
	}
	l = &control.listeners[control.nlisteners++];
	l->fd = fd;
	l->readonly = (flags & LISTEN_READONLY) != 0;
	return (0);
}

static void
control_run(void)
{
	struct listener	*l;
	unsigned	 i;

	if (control.nlisteners == 0)
		fatalx("no control socket from the parent");
	for (i = 0; i < control.nlisteners; i++) {
		l = &control.listeners[i];
		l->ev = event_new(proc_base(), l->fd, EV_READ | EV_PERSIST,
		    client_accept, l);
		if (l->ev == NULL || event_add(l->ev, NULL) == -1)
			fatalx("out of memory");
	}
	timer_init(&control.resume, accept_resume, NULL);
	proc_title("0 clients");
}

/* Clients. */

static unsigned
clients_of(uid_t uid)
{
	struct client	*cl;
	unsigned	 n = 0;

	TAILQ_FOREACH(cl, &control.clients, entry)
		n += cl->uid == uid;
	return (n);
}

/* Say why on a connection that is not to become a client. */
static void
client_refuse(int fd, const char *why)
{
	struct chan	*c;

	log_info("client refused: %s", why);
	c = chan_new(proc_base(), fd, ROLE_CLIENT, from_client,
	    ROWS(from_client), client_closed, NULL);
	if (c == NULL)
		return;
	client_done(c, 0, 503, why);
	chan_free(c);
}

static void
accept_resume(void *arg)
{
	unsigned	i;

	(void)arg;
	for (i = 0; i < control.nlisteners; i++)
		event_want(control.listeners[i].ev, NULL);
}

static void
leave_now(void *arg)
{
	(void)arg;
	proc_exit(0);
}

/* Another one accepts from now on; who is here is answered first. */
static void
control_leave(uint32_t seconds)
{
	unsigned	i;

	for (i = 0; i < control.nlisteners; i++)
		event_del(control.listeners[i].ev);
	control.nlisteners = 0;
	control.leaving = 1;
	timer_init(&control.leave, leave_now, NULL);
	timer_set(&control.leave, control.nclients == 0 ? 0 :
	    (uint64_t)seconds * 1000);
}

/* Out of descriptors: nobody comes in for a second. */
static void
accept_pause(void)
{
	unsigned	i;

	log_warn("accept");
	for (i = 0; i < control.nlisteners; i++)
		event_del(control.listeners[i].ev);
	timer_set(&control.resume, PAUSE_MS);
}

static void
client_accept(evutil_socket_t fd_listener, short what, void *arg)
{
	struct listener	*l = arg;
	struct client	*cl;
	struct ucred	 peer;
	socklen_t	 len = sizeof(peer);
	int		 fd;

	(void)what;
	/* cppcheck-suppress nullPointer ; nobody asks for the address */
	fd = accept4(fd_listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd == -1) {
		if (errno == EMFILE || errno == ENFILE ||
		    errno == ENOMEM || errno == ENOBUFS)
			accept_pause();
		return;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == -1) {
		log_warn("client: no credentials");
		close(fd);
		return;
	}
	if (control.nclients >= CLIENTS_MAX) {
		client_refuse(fd, "too many clients");
		return;
	}
	if (clients_of(peer.uid) >= CLIENTS_UID) {
		client_refuse(fd, "too many clients of this user");
		return;
	}
	if ((cl = calloc(1, sizeof(*cl))) == NULL) {
		close(fd);
		return;
	}
	cl->uid = peer.uid;
	cl->pid = peer.pid;
	cl->readonly = l->readonly;
	cl->chan = chan_new(proc_base(), fd, ROLE_CLIENT, from_client,
	    ROWS(from_client), client_closed, cl);
	if (cl->chan == NULL) {
		free(cl);
		return;
	}
	chan_guess(cl->chan);	/* the relayctl of another version */
	TAILQ_INSERT_TAIL(&control.clients, cl, entry);
	control.nclients++;
	proc_title("%u client%s", control.nclients, PLURAL(control.nclients));
	log_debug("client uid %u pid %d: connected", (unsigned)cl->uid,
	    (int)cl->pid);
}

static void
client_closed(struct chan *c, int offence, const char *reason)
{
	struct client	*cl = chan_arg(c);

	if (cl == NULL)		/* being refused */
		return;
	client_close(cl, offence ? reason : NULL);
}

/* The one way a client ends; its requests go on without it. */
static void
client_close(struct client *cl, const char *offence)
{
	struct request	*rq;

	if (offence != NULL)
		log_warnx("client uid %u pid %d: closed: %s",
		    (unsigned)cl->uid, (int)cl->pid, offence);
	TAILQ_FOREACH(rq, &control.requests, entry)
		if (rq->client == cl)
			rq->client = NULL;
	TAILQ_REMOVE(&control.clients, cl, entry);
	control.nclients--;
	if (control.leaving && control.nclients == 0)
		timer_set(&control.leave, 0);
	chan_free(cl->chan);
	free(cl);
	proc_title("%u client%s", control.nclients, PLURAL(control.nclients));
}

static void
client_done(struct chan *c, uint32_t id, unsigned code, const char *text)
{
	(void)say_ctl_done(c, id, -1, &(struct msg_ctl_done){
	    .code = (uint16_t)code, .text = text });
}

/* Requests. */

/* The version that a CTL begins with; the rest may be of another. */
static uint32_t
request_version(const struct imsg *m)
{
	struct wget	w;
	uint32_t	version;

	wget_init(&w, m->p, (size_t)(m->end - m->p));
	return (wget_u32(&w, &version) == -1 ? 0 : version);
}

/* 0, or a code with why it is not asked. */
static unsigned
request_check(const struct client *cl, const struct msg_ctl *ctl,
    const char **why)
{
	if ((*why = ctl_check(ctl->op, ctl->words.n)) != NULL)
		return (400);
	*why = "this socket is for looking only";
	if (cl->readonly && !(ctl_info(ctl->op)->flags & CTL_LOOKS))
		return (403);
	*why = "too many requests at once";
	return (cl->waiting >= REQUESTS_CLIENT ? 503 : 0);
}

/* What changes something, and authd did not do. */
static void
tell(unsigned op, uid_t uid, const char *object, unsigned code,
    const char *text, const char *request)
{
	const struct ctl_info	*info = ctl_info(op);
	struct chan		*c = link_chan();

	if (c == NULL || info == NULL ||
	    (info->flags & (CTL_LOOKS | CTL_TEST)) ||
	    (code == 0 && info->role != ROLE_PARENT))
		return;
	(void)say_ctl_told(c, 0, -1, &(struct msg_ctl_told){
	    .op = (uint16_t)op, .uid = (uint32_t)uid,
	    .code = (uint16_t)code, .object = object, .text = text,
	    .request = request });
}

static int
on_request(struct chan *c, struct imsg *m)
{
	struct msg_ctl		 ctl;
	struct client		*cl = chan_arg(c);
	const char		*why;
	unsigned		 code;

	if (request_version(m) != CTL_VERSION) {
		client_done(c, m->id, 505, "relayctl and relayd are of "
		    "different versions");
		return (0);
	}
	if (get_ctl(m, &ctl) == -1)
		return (-1);
	if ((code = request_check(cl, &ctl, &why)) != 0) {
		tell(ctl.op, cl->uid, ctl.words.n > 0 ? ctl.words.v[0] : "",
		    code, why, "");
		client_done(c, m->id, code, why);
		return (0);
	}
	request_forward(cl, m->id, &ctl);
	return (0);
}

/* Who asks for what, printable. */
static void
request_describe(struct request *rq, const struct client *cl,
    const struct msg_ctl *ctl)
{
	char	 word[CTL_WORD_SIZE];
	size_t	 n;
	unsigned i;

	n = (size_t)snprintf(rq->what, sizeof(rq->what),
	    "client uid %u pid %d: %s", (unsigned)cl->uid, (int)cl->pid,
	    ctl_name(ctl->op));
	for (i = 0; i < ctl->words.n && n < sizeof(rq->what); i++) {
		if (ctl->words.v[i][0] == '\0')
			continue;
		n += (size_t)snprintf(rq->what + n, sizeof(rq->what) - n,
		    " %s", log_escape(word, sizeof(word), ctl->words.v[i],
		    strlen(ctl->words.v[i])));
	}
}

/* One line for each, with how it ended. */
static void
request_log(const struct request *rq, const struct msg_ctl_done *said)
{
	char	text[MESSAGE_SIZE];

	log_request(rq->request);
	log_escape(text, sizeof(text), said->text, strlen(said->text));
	if (ctl_info(rq->op)->flags & CTL_LOOKS)
		log_debug("%s: %s", rq->what, said->code == 0 ? "done" : text);
	else
		log_info("%s: %s", rq->what, said->code == 0 ? "done" : text);
	log_request(NULL);
}

static uint64_t
request_ms(unsigned op)
{
	if (ctl_info(op)->flags & CTL_LONG)
		return (CTL_LONG_MS);
	return (op == CTL_RELOAD ? RELOAD_MS : DEADLINE_MS);
}

static void
request_forward(struct client *cl, uint32_t client_id,
    const struct msg_ctl *ctl)
{
	struct chan	*to;
	struct request	*rq;
	struct msg_ctl	 by;

	to = ctl_info(ctl->op)->role == ROLE_PARENT ? proc_parent() :
	    link_chan();
	if (to == NULL) {
		client_done(cl->chan, client_id, 503, "authd is not there");
		return;
	}
	if ((rq = calloc(1, sizeof(*rq))) == NULL || call_start(&rq->call, to,
	    request_ms(ctl->op), request_done,
	    rq) == 0) {
		free(rq);
		client_done(cl->chan, client_id, 503, "too busy");
		return;
	}
	rq->client = cl;
	rq->client_id = client_id;
	rq->op = ctl->op;
	rq->uid = cl->uid;
	if (ctl->words.n > 0)
		strlcpy(rq->object, ctl->words.v[0], sizeof(rq->object));
	request_describe(rq, cl, ctl);
	TAILQ_INSERT_TAIL(&control.requests, rq, entry);
	cl->waiting++;
	request_make(rq->request);
	(void)say_ctl_request(to, 0, -1, &(struct msg_ctl_request){
	    .request = rq->request });
	by = *ctl;
	by.uid = (uint32_t)cl->uid;
	(void)say_ctl(to, rq->call.id, -1, &by);
}

/* Whose the answer is; NULL: its client has gone. */
static struct request *
request_of(struct chan *c, const struct imsg *m)
{
	struct request	*rq;

	TAILQ_FOREACH(rq, &control.requests, entry)
		if (rq->call.chan == c && rq->call.id == m->id)
			break;
	return (rq != NULL && rq->client != NULL ? rq : NULL);
}

/*
 * A row: taken apart and put together again, so that a client sees nothing but
 * cells. One that does not read is closed by its channel, at CHAN_QUEUE_MAX.
 */
static int
on_row(struct chan *c, struct imsg *m)
{
	struct msg_ctl_row	 row;
	struct request		*rq;

	if (get_ctl_row(m, &row) == -1)
		return (-1);
	if ((rq = request_of(c, m)) != NULL)
		(void)say_ctl_row(rq->client->chan, rq->client_id, -1, &row);
	return (0);
}

static int
on_text(struct chan *c, struct imsg *m)
{
	struct msg_ctl_text	 text;
	struct request		*rq;

	if (get_ctl_text(m, &text) == -1)
		return (-1);
	if ((rq = request_of(c, m)) != NULL)
		(void)say_ctl_text(rq->client->chan, rq->client_id, -1, &text);
	return (0);
}

static int
request_done(struct chan *c, struct imsg *m, void *arg)
{
	struct msg_ctl_done	 in = { .code = 504,
	    .text = "no answer in time" };
	struct request		*rq = arg;
	struct client		*cl = rq->client;
	uint32_t		 id = rq->client_id;

	if (m == NULL && chan_is_closed(c)) {
		in.code = 503;
		in.text = "authd has ended";
	}
	if (m != NULL && get_ctl_done(m, &in) == -1) {
		request_free(rq);
		return (-1);
	}
	request_log(rq, &in);
	tell(rq->op, rq->uid, rq->object, in.code, in.text, rq->request);
	request_free(rq);
	if (cl != NULL)
		client_done(cl->chan, id, in.code, in.text);
	return (0);
}

static void
request_free(struct request *rq)
{
	if (rq->client != NULL)
		rq->client->waiting--;
	TAILQ_REMOVE(&control.requests, rq, entry);
	free(rq);
}
