/* SPDX-License-Identifier: ISC */
/*
 * Members among each other. Who has what says the store alone; a note only
 * makes that it is looked at sooner, or that a muxd is asked whether its client
 * is there.
 */
#include <sys/queue.h>

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "authd/core/session.h"
#include "authd/redis/bus.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "cluster.h"
#include "guests.h"
#include "held.h"
#include "member.h"
#include "pairing.h"
#include "peer.h"
#include "recheck.h"
#include "relay.h"

#define PROBE_MS	2000
#define PROBES_MAX	4096	/* of ours that wait for an answer */
#define LOG_EVERY_MS	10000
#define GAP_MS		1000	/* between two looks for which notes ask */

/* A question of ours to another member. */
struct probe {
	TAILQ_ENTRY(probe)	 entry;
	char			 id[NOTE_ID_SIZE], member[MEMBER_SIZE];
	struct timer		 late;
	void			(*then)(enum probed, void *);
	void			*arg;
	char			 request[REQUEST_SIZE];
};

/* One of theirs to us. */
struct asked {
	char	id[NOTE_ID_SIZE], from[MEMBER_SIZE], session[UUID_SIZE];
};

/* What is done for notes, however many ask: at once, then once a gap. */
struct look {
	void		(*fn)(void);
	struct timer	  next;
	int		  wanted;	/* again, when the gap is over */
};

static void	look_again(void *);

static struct look	recheck = { .fn = recheck_all };
static struct look	rows = { .fn = member_look };

static struct {
	TAILQ_HEAD(, probe)	 probes;
	unsigned		 nprobes;
	uint64_t		 logged_ms;
} cluster = { .probes = TAILQ_HEAD_INITIALIZER(cluster.probes) };

/* --- notes --- */

static int
say(enum note_op op, const char *to, const char *id, const char *session)
{
	struct note	n = { .op = op, .at = member_now() };
	char		text[NOTE_SIZE];

	strlcpy(n.from, member_self(), sizeof(n.from));
	strlcpy(n.to, to, sizeof(n.to));
	strlcpy(n.id, id, sizeof(n.id));
	strlcpy(n.session, session, sizeof(n.session));
	return (note_print(&n, text) == -1 ? -1 : bus_note(text));
}

static void
new_id(char id[NOTE_ID_SIZE])
{
	uint8_t	bytes[(NOTE_ID_SIZE - 1) / 2];

	randombytes_buf(bytes, sizeof(bytes));
	sodium_bin2hex(id, NOTE_ID_SIZE, bytes, sizeof(bytes));
}

int
cluster_say(enum note_op op, const char *to, const char *session)
{
	char	id[NOTE_ID_SIZE];

	if (!member_is_one())
		return (0);
	new_id(id);
	return (say(op, to, id, session));
}

void
cluster_revoked(void)
{
	(void)cluster_say(NOTE_RECHECK, NOTE_ALL, "");
}

void
cluster_told(void)
{
	(void)cluster_say(NOTE_GUESTS, NOTE_ALL, "");
}

void
cluster_beaten(int late)
{
	static int	said;

	if (said != member_is_draining() &&
	    cluster_say(NOTE_MEMBERS, NOTE_ALL, "") == 0)
		said = member_is_draining();
	held_losses();
	guests_look();
	relay_beaten(late);
	if (!member_is_first())
		pairing_leave();
}

/* --- probes --- */

static void
probe_end(struct probe *p, enum probed how)
{
	void	(*then)(enum probed, void *) = p->then;
	void	*arg = p->arg;
	char	 request[REQUEST_SIZE];

	strlcpy(request, p->request, sizeof(request));
	TAILQ_REMOVE(&cluster.probes, p, entry);
	cluster.nprobes--;
	timer_del(&p->late);
	free(p);
	log_request(request);
	then(how, arg);
	log_request(NULL);
}

static void
probe_late(void *arg)
{
	probe_end(arg, PROBED_SILENT);
}

void
cluster_probe(const char *member, const char *session,
    void (*then)(enum probed, void *), void *arg)
{
	struct probe	*p;

	if (cluster.nprobes >= PROBES_MAX ||
	    (p = calloc(1, sizeof(*p))) == NULL) {
		then(PROBED_CANNOT, arg);
		return;
	}
	new_id(p->id);
	strlcpy(p->member, member, sizeof(p->member));
	strlcpy(p->request, log_request_now(), sizeof(p->request));
	p->then = then;
	p->arg = arg;
	if (say(NOTE_PROBE, member, p->id, session) == -1) {
		free(p);
		then(PROBED_CANNOT, arg);
		return;
	}
	timer_init(&p->late, probe_late, p);
	timer_set(&p->late, PROBE_MS);
	TAILQ_INSERT_TAIL(&cluster.probes, p, entry);
	cluster.nprobes++;
}

/* What was not asked, or of somebody else, is no answer. */
static void
probe_answered(const struct note *n)
{
	struct probe	*p;

	TAILQ_FOREACH(p, &cluster.probes, entry)
		if (strcmp(p->id, n->id) == 0 &&
		    strcmp(p->member, n->from) == 0)
			break;
	if (p != NULL)
		probe_end(p, n->op == NOTE_ALIVE ? PROBED_ALIVE :
		    PROBED_DEAD);
}

static int
muxd_alive(struct chan *c, struct imsg *m, void *arg)
{
	struct msg_alive	 in = { .alive = 0 };
	struct asked		*a = arg;
	int			 bad = 0;

	(void)c;
	if (m != NULL && get_alive(m, &in) == -1)
		bad = -1;
	(void)say(in.alive ? NOTE_ALIVE : NOTE_DEAD, a->from, a->id,
	    a->session);
	free(a);
	return (bad);
}

/* A tunnel that is being set up is one. */
static void
probe_heard(const struct note *n)
{
	struct session	*se = session_find(n->session);
	struct peer	*pe = se != NULL && se->tunnel != NULL ?
			    peer_find(se->tunnel->instance) : NULL;
	struct asked	*a;
	uint32_t	 id;

	if (pe == NULL) {
		(void)say(NOTE_DEAD, n->from, n->id, n->session);
	} else if (se->tunnel->state == TUNNEL_LOGIN) {
		(void)say(NOTE_ALIVE, n->from, n->id, n->session);
	} else if ((a = calloc(1, sizeof(*a))) != NULL) {
		strlcpy(a->id, n->id, sizeof(a->id));
		strlcpy(a->from, n->from, sizeof(a->from));
		strlcpy(a->session, n->session, sizeof(a->session));
		if ((id = chan_call(pe->chan, PROBE_MS, muxd_alive, a)) != 0)
			(void)say_probe(pe->chan, id);
		else
			free(a);
	}
}

static void
look(struct look *l)
{
	if (timer_is_set(&l->next)) {
		l->wanted = 1;
		return;
	}
	timer_init(&l->next, look_again, l);
	timer_set(&l->next, GAP_MS);
	l->fn();
}

static void
look_again(void *arg)
{
	struct look	*l = arg;

	if (!l->wanted)
		return;
	l->wanted = 0;
	look(l);
}

void
cluster_heard(const char *text, size_t len)
{
	struct note	 n;
	const char	*wrong;

	/* Until then it may be meant for another of our name. */
	if (!member_has_begun())
		return;
	wrong = note_parse(&n, text, len, member_now());
	if (wrong != NULL) {
		if (cluster.logged_ms == 0 || clock_ms() -
		    cluster.logged_ms >= LOG_EVERY_MS)
			log_warnx("redis: a note of members: %s, ignored",
			    wrong);
		cluster.logged_ms = clock_ms();
		return;
	}
	if (strcmp(n.from, member_self()) == 0 ||
	    (strcmp(n.to, member_self()) != 0 && strcmp(n.to, NOTE_ALL) != 0))
		return;
	/* An answer counts once, as its question is open once. */
	if (n.op == NOTE_ALIVE || n.op == NOTE_DEAD)
		probe_answered(&n);
	else if (note_before(&n))
		return;
	else if (n.op == NOTE_PROBE)
		probe_heard(&n);
	else if (n.op == NOTE_LOSS)
		held_losses();
	else if (n.op == NOTE_RECHECK && peer_is_ready())
		look(&recheck);
	else if (n.op == NOTE_MEMBERS)
		look(&rows);
	else if (n.op == NOTE_GUESTS)
		guests_look();
}
