/* SPDX-License-Identifier: ISC */
#include <sys/queue.h>
#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "authd/core/session.h"
#include "authd/cred/peerhead.h"
#include "await.h"
#include "base/addr.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "forward.h"
#include "handlers.h"
#include "imsg/call.h"
#include "imsg/imsg.h"
#include "member.h"
#include "peer.h"
#include "proc/proc.h"
#include "relay.h"

#define WHERE_MS	2500	/* proxyd waits for 3 s */
#define DIAL_MS		3000	/* dialerd's own end is before that; all of it */
#define GOING_MAX	64	/* connections that are being made, */
#define GOING_ONE	32	/* of one proxyd; half of each to one member */

/* A connection that a proxyd has asked for. */
struct going {
	LIST_ENTRY(going)	 entry;
	struct asker		 asker;
	struct call		 call;
	uint64_t		 dialerd;	/* that is asked, or was last */
	uint64_t		 until_ms;
	struct timer		 late;		/* while there is no dialerd */
	struct peerhead		 head;
	uint8_t			 said[PEER_HEAD_MAX];	/* as bytes, in TLS */
	size_t			 len;
	char			 member[MEMBER_SIZE];
};

static LIST_HEAD(, going)	going = LIST_HEAD_INITIALIZER(going);
static unsigned			ngoing;
static uint64_t			dialerd;	/* its instance; 0: none */

void
forward_gone(struct peer *pe)
{
	if (dialerd == pe->instance)
		dialerd = 0;
}

/* ---- who has it ---- */

static void
where_say(const struct asker *asker, const struct member_row *m)
{
	struct chan	*c = asker_chan(asker);

	if (c != NULL)
		(void)say_where_is(c, asker->id, -1, &(struct msg_where_is){
		    .member = m != NULL && strcmp(m->name, member_self()) != 0 ?
		    m->name : "" });
}

static void
where_known(enum holder_at at, const struct member_row *m, void *arg)
{
	struct asker	*asker = arg;

	log_request(asker->request);
	where_say(asker, at == HOLDER_THERE ? m : NULL);
	log_request(NULL);
	free(asker);
}

static void
at_known(const struct answer *a, void *arg)
{
	const char	*name = a->r == 0 ? a->at->member : "";

	where_known(member_is_elsewhere(name) ? HOLDER_THERE : HOLDER_HERE,
	    member_find(name), arg);
}

/* A relay session or a recording: nobody looks for what has no such name. */
static void
at_where(int kind, const char *id, struct asker *asker)
{
	if (kind == FORWARD_RELAY)
		relay_where(id, asker->instance, where_known, asker);
	else if (!member_is_one())
		where_known(HOLDER_HERE, NULL, asker);
	else
		(void)store_ask(&(struct question){
		    .what = ASK_RECORDING_AT, .key = id,
		    .asker = asker->instance,
		    .until_ms = clock_ms() + WHERE_MS }, at_known, asker);
}

int
forward_on_where(struct chan *c, struct imsg *m)
{
	struct msg_where	 in;
	struct asker		*asker;

	if (get_where(m, &in) == -1 || in.kind >= FORWARD_KINDS ||
	    ((in.kind == FORWARD_SESSION || in.kind == FORWARD_RECORDING) &&
	    session_id_check(in.session) == -1))
		return (-1);
	log_request(in.request);
	if ((asker = malloc(sizeof(*asker))) == NULL)
		return (-1);
	*asker = asker_of(c, m);
	if (in.kind == FORWARD_SESSION && peer_is_ready()) {
		await_where(in.session, asker->instance, where_known, asker);
		return (0);
	}
	if (in.kind == FORWARD_MEMBER) {
		where_say(asker, member_is_elsewhere(in.session) ?
		    member_find(in.session) : NULL);
		free(asker);
		return (0);
	}
	if (in.kind != FORWARD_PAIR && peer_is_ready()) {
		at_where(in.kind, in.session, asker);
		return (0);
	}
	where_say(asker, in.kind == FORWARD_PAIR ? member_first() : NULL);
	free(asker);
	return (0);
}

/* ---- who else is there ---- */

/* Its name and a line's end, as long as there is room. */
static void
add_name(const struct member_row *m, void *arg)
{
	char	*text = arg;

	if (!member_is_elsewhere(m->name) ||
	    strlen(text) + strlen(m->name) + 2 > MEMBERS_TEXT)
		return;
	strlcat(text, m->name, MEMBERS_TEXT);
	strlcat(text, "\n", MEMBERS_TEXT);
}

int
forward_on_members(struct chan *c, struct imsg *m)
{
	struct msg_members	 in;
	char			 others[MEMBERS_TEXT] = "";

	if (get_members(m, &in) == -1)
		return (-1);
	if (member_is_one())
		member_each(add_name, others);
	(void)say_members_are(c, m->id, -1, &(struct msg_members_are){
	    .self = member_self(), .others = others });
	return (0);
}

/* ---- a connection to it ---- */

static void	going_again(struct going *);

static void
going_end(struct going *g, int fd, const char *why)
{
	struct chan	*c = asker_chan(&g->asker);

	if (why != NULL) {
		log_info("member %s: nothing can be passed on: %s", g->member,
		    why);
		if (c != NULL)
			(void)say_forward_failed(c, g->asker.id, -1,
			    &(struct msg_forward_failed){ .why = why });
	} else if (c != NULL) {
		member_forwarded(1);
		(void)say_forwarded(c, g->asker.id, fd,
		    &(struct msg_forwarded){ .head = { g->said, g->len } });
	} else
		imsg_close_fd(fd);
	call_cancel(&g->call);
	timer_del(&g->late);
	LIST_REMOVE(g, entry);
	ngoing--;
	free(g);
}

/*
 * The first bytes, for which a new socket has room. Where there is TLS between
 * members they are for proxyd to say in it.
 */
static void
going_connected(struct going *g, int fd)
{
	long	len = peerhead_make(g->said, &g->head, g->member,
		    member_now());
	int	tls = proc_conf()->cluster_ca_file[0] != '\0';

	if (len == -1 || (!tls && send(fd, g->said, (size_t)len,
	    MSG_NOSIGNAL) != len)) {
		imsg_close_fd(fd);
		going_end(g, -1, "its header could not be written");
		return;
	}
	g->len = tls ? (size_t)len : 0;
	going_end(g, fd, NULL);
}

static int
going_said(struct chan *c, struct imsg *m, void *arg)
{
	struct going		*g = arg;
	struct msg_dial_failed	 no;
	struct msg_dialed	 yes;
	char			 why[MESSAGE_SIZE];

	(void)c;
	log_request(g->asker.request);
	if (m != NULL && m->type == IMSG_DIALED && m->fd != -1 &&
	    get_dialed(m, &yes) == 0)
		going_connected(g, m_take_fd(m));
	else if (m != NULL && get_dial_failed(m, &no) == 0) {
		log_escape(why, sizeof(why), no.why, strlen(no.why));
		going_end(g, -1, why);
	} else if (m == NULL)
		going_again(g);
	else
		going_end(g, -1, "dialerd does not answer");
	log_request(NULL);
	return (0);
}

/*
 * Room for one more? NULL, or why there is none. A member that takes nobody has
 * its places for as long as each waits: the others' are left.
 */
static const char *
going_room(uint64_t instance, const char *member)
{
	const struct going	*g;
	unsigned		 one = 0, to = 0, one_to = 0;
	int			 his, there;

	LIST_FOREACH(g, &going, entry) {
		his = g->asker.instance == instance;
		there = strcmp(g->member, member) == 0;
		one += his != 0;
		to += there != 0;
		one_to += his && there;
	}
	if (ngoing >= GOING_MAX || one >= GOING_ONE)
		return ("too many are being connected");
	return (to >= GOING_MAX / 2 || one_to >= GOING_ONE / 2 ?
	    "too many are being connected to it" : NULL);
}

static uint64_t
going_left(const struct going *g)
{
	uint64_t	now = clock_ms();

	return (now < g->until_ms ? g->until_ms - now : 0);
}

/* One starts anew with each reload: its successor is waited for. */
static void
going_wait(struct going *g)
{
	g->dialerd = 0;
	timer_set(&g->late, going_left(g));
}

static void
going_late(void *arg)
{
	struct going	*g = arg;

	log_request(g->asker.request);
	going_end(g, -1, "there is no dialerd");
	log_request(NULL);
}

/* NULL, or why it is not. */
static const char *
going_dial(struct going *g)
{
	const struct member_row	*to = member_find(g->member);
	const struct peer	*pe = dialerd == 0 ? NULL : peer_find(dialerd);
	uint32_t		 id;

	if (to == NULL || !member_is_alive(to))
		return ("it is not there");
	if (to->port != proc_conf()->cluster_port)
		return ("its peers' port is another than ours");
	if (pe == NULL) {
		going_wait(g);
		return (NULL);
	}
	if ((id = call_start(&g->call, pe->chan, going_left(g), going_said,
	    g)) == 0)
		return ("dialerd cannot be asked");
	g->dialerd = dialerd;
	timer_del(&g->late);
	(void)say_dial(pe->chan, id, -1, &(struct msg_dial){
	    .host = to->address });
	return (NULL);
}

/* Its dialerd has gone before it answered, or does not. */
static void
going_again(struct going *g)
{
	const char	*why = NULL;

	if (going_left(g) == 0)
		why = "dialerd does not answer";
	else if (dialerd == 0 || dialerd == g->dialerd)
		going_wait(g);
	else
		why = going_dial(g);
	if (why != NULL)
		going_end(g, -1, why);
}

void
forward_came(struct peer *pe)
{
	struct going	*g, *next;
	const char	*why;

	dialerd = pe->instance;
	for (g = LIST_FIRST(&going); g != NULL; g = next) {
		next = LIST_NEXT(g, entry);
		if (g->dialerd == 0 && (why = going_dial(g)) != NULL)
			going_end(g, -1, why);
	}
}

int
forward_on_forward(struct chan *c, struct imsg *m)
{
	struct msg_forward	 in;
	struct going		*g;
	const char		*why;

	if (get_forward(m, &in) == -1 || !member_is_one() ||
	    (in.flags & ~(uint32_t)LISTEN_ALONG) ||
	    strcmp(in.member, member_self()) == 0 ||
	    (g = calloc(1, sizeof(*g))) == NULL)
		return (-1);
	if (addr_parse(&g->head.client, in.addr, strlen(in.addr)) == -1) {
		free(g);
		return (-1);
	}
	log_request(in.request);
	g->asker = asker_of(c, m);
	g->head.flags = in.flags;
	g->until_ms = clock_ms() + DIAL_MS;
	timer_init(&g->late, going_late, g);
	strlcpy(g->member, in.member, sizeof(g->member));
	why = going_room(g->asker.instance, g->member);
	LIST_INSERT_HEAD(&going, g, entry);
	ngoing++;
	if (why != NULL || (why = going_dial(g)) != NULL)
		going_end(g, -1, why);
	return (0);
}

/* ---- what comes from one ---- */

static uint64_t	began_ms;

void
forward_init(void)
{
	began_ms = clock_ms();
}

int
forward_on_head(struct chan *c, struct imsg *m)
{
	struct msg_peer_head	 in;
	struct peerhead		 ph = { .flags = 0 };
	const char		*why;

	if (get_peer_head(m, &in) == -1)
		return (-1);
	why = !member_is_one() ? "this is no member of a cluster" :
	    peerhead_check(&ph, in.head.p, in.head.len, member_self(),
	    member_now(), member_now() - (int64_t)(clock_ms() - began_ms));
	if (why == NULL)
		member_forwarded(0);
	(void)say_peer_head_said(c, m->id, -1, &(struct msg_peer_head_said){
	    .flags = why == NULL ? ph.flags : 0,
	    .why = why != NULL ? why : "" });
	return (0);
}
