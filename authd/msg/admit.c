/* SPDX-License-Identifier: ISC */
/* May this connection be given to a worker of its own? */
#include <sodium.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admit.h"
#include "again.h"
#include "authd/core/may.h"
#include "authd/core/services.h"
#include "authd/core/session.h"
#include "authd/core/stream.h"
#include "authd/now.h"
#include "authd/store/audit.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "base/rate.h"
#include "handlers.h"
#include "internal.h"
#include "issue.h"
#include "member.h"
#include "named.h"
#include "pairing.h"
#include "peer.h"
#include "proc/proc.h"

#define ADMIT_MS	30000	/* from the yes to the worker's start */
#define TERMS_ONE	64	/* terminals of one operator, of one session */
#define TCPS_ONE	64	/* TCP connections of one operator */
#define TCPS_SESSION	48	/* of one session: others need streams, too */
#define ADMIT_MAX	8192	/* at once, shared among the proxyds */

struct ask {
	uint8_t	class;
	uint64_t proxyd;
	char	addr[ADDR_SIZE], session[UUID_SIZE], ticket[TICKET_SIZE];
	char	origin[HOST_SIZE], service[SERVICE_SIZE];
	uint64_t grant;			/* a back end's, or 0 */
};

/* What differs between those classes that are for one stream. */
struct crowd {
	const char	*type;		/* in audit events */
	enum refusal	 full;
	struct budget	 by_operator, by_session;
};

static struct {
	struct index			 table;
	TAILQ_HEAD(, admission)		 queue;	/* oldest first */
	struct budget			 places;
} admissions = {
	.places = { .total = UINT64_MAX, .few = UINT64_MAX },
};

#define EACH(n)	{ .one = (n) }	/* the rest: crowd_size() */
static struct crowd	crowds[CLASS_COUNT] = {
	[CLASS_TERMINAL] = { "web_terminal", REFUSE_TERMINALS,
	    EACH(TERMS_ONE), EACH(TERMS_ONE) },
	[CLASS_TCP] = { "tcp", REFUSE_TCPS, EACH(TCPS_ONE),
	    EACH(TCPS_SESSION) },
};
#undef EACH

static after_fn	after;	/* a commit */

int
admit_init(after_fn turn)
{
	after = turn;
	TAILQ_INIT(&admissions.queue);
	return (0);
}

unsigned
admit_count(void)
{
	return ((unsigned)admissions.table.count);
}

unsigned
admit_open(enum conn_class class)
{
	return ((unsigned)crowds[class].by_operator.used);
}

/* A look at all workers: only where the session has any. */
int
admit_is_coming(const char *session)
{
	const struct admission	*a;
	const struct peer	*pe;

	if (budget_of(&crowds[CLASS_TERMINAL].by_session, session) == 0 &&
	    budget_of(&crowds[CLASS_TCP].by_session, session) == 0)
		return (0);
	TAILQ_FOREACH(a, &admissions.queue, entry)
		if (strcmp(a->session, session) == 0)
			return (1);
	TAILQ_FOREACH(pe, &peers, entry)
		if (peer_has(pe, RF_STREAM) && pe->admission != NULL &&
		    pe->stream == 0 &&
		    strcmp(pe->admission->session, session) == 0)
			return (1);
	return (0);
}

static void
admit_answer(struct chan *c, uint32_t id, int status, uint32_t retry_s,
    const char *message, uint64_t nonce)
{
	(void)say_admitted(c, id, -1, &(struct msg_admitted){
	    .status = (uint16_t)status, .retry_s = retry_s, .message = message,
	    .nonce = nonce });
}

static void
admit_remove(struct admission *a)
{
	index_del(&admissions.table, &a->link);
	TAILQ_REMOVE(&admissions.queue, a, entry);
	budget_leave(&admissions.places, &a->place);
}

void
admit_free(struct admission *a)
{
	if (a == NULL)
		return;
	budget_leave(&crowds[a->class].by_operator, &a->by_operator);
	budget_leave(&crowds[a->class].by_session, &a->by_session);
	freezero(a, sizeof(*a));
}

void
admit_gone(uint64_t proxyd)
{
	struct admission	*a, *next;

	for (a = TAILQ_FIRST(&admissions.queue); a != NULL; a = next) {
		next = TAILQ_NEXT(a, entry);
		if (a->proxyd != proxyd)
			continue;
		admit_remove(a);
		admit_free(a);
	}
}

void
admit_moved(const char *session, const char *why)
{
	struct admission	*a;

	TAILQ_FOREACH(a, &admissions.queue, entry)
		if (a->class == CLASS_RELAY && strcmp(a->session, session) == 0)
			a->moved = why;
}

static void
admit_sweep(void)
{
	struct admission	*a;

	while ((a = TAILQ_FIRST(&admissions.queue)) != NULL &&
	    a->until_ms <= clock_ms()) {
		admit_remove(a);
		admit_free(a);
	}
}

/* The parent first: it passes the connection on. */
static void
admit_say(struct chan *c, uint32_t id, const struct admission *a)
{
	(void)say_admitted(proc_parent(), 0, -1, &(struct msg_admitted){
	    .nonce = a->nonce, .instance = a->instance,
	    .class = (uint8_t)a->class });
	(void)say_admitted(c, id, -1, &(struct msg_admitted){ .message = "",
	    .nonce = a->nonce, .instance = a->instance });
}

/* A proxyd has no more than its share of the places, whatever others have. */
static struct admission *
admit_new(const struct ask *ask)
{
	struct admission	*a;
	char			 proxyd[24];

	admit_sweep();
	if ((a = calloc(1, sizeof(*a))) == NULL)
		return (NULL);
	snprintf(proxyd, sizeof(proxyd), "%llu",
	    (unsigned long long)ask->proxyd);
	admissions.places.one = ADMIT_MAX / named_proxyds();
	if (budget_take(&admissions.places, &a->place, proxyd, NULL, 1) ==
	    -1) {
		free(a);
		return (NULL);
	}
	do {
		randombytes_buf(&a->nonce, sizeof(a->nonce));
	} while (
	    a->nonce == 0 || index_find(&admissions.table, a->nonce) != NULL);
	a->until_ms = clock_ms() + ADMIT_MS;
	a->class = ask->class;
	a->proxyd = ask->proxyd;
	strlcpy(a->addr, ask->addr, sizeof(a->addr));
	strlcpy(a->session, ask->session, sizeof(a->session));
	strlcpy(a->request, log_request_now(), sizeof(a->request));
	strlcpy(a->service, ask->service, sizeof(a->service));
	index_add(&admissions.table, &a->link, a->nonce);
	TAILQ_INSERT_TAIL(&admissions.queue, a, entry);
	return (a);
}

void
admit_no(const struct asker *asker, int status, uint32_t retry_s,
    const char *message)
{
	struct chan	*c = asker_chan(asker);

	if (c != NULL)
		admit_answer(c, asker->id, status, retry_s, message, 0);
}

struct admission *
admit_yes(const struct asker *asker, enum conn_class class, uint64_t proxyd,
    const char *addr, const char *session, uint64_t instance)
{
	struct admission	*a = NULL;
	struct chan		*c = asker_chan(asker);
	struct ask		 ask = { .class = (uint8_t)class,
	    .proxyd = proxyd };

	strlcpy(ask.addr, addr, sizeof(ask.addr));
	strlcpy(ask.session, session, sizeof(ask.session));
	if (c == NULL || (a = admit_new(&ask)) == NULL) {
		admit_no(asker, 503, 5, "server is busy");
		return (NULL);
	}
	a->instance = instance;
	admit_say(c, asker->id, a);
	return (a);
}

struct admission *
admit_take(uint64_t nonce)
{
	struct admission	*a;
	struct link		*l;

	admit_sweep();
	if (nonce == 0 || (l = index_find(&admissions.table, nonce)) == NULL)
		return (NULL);
	a = OWNER(l, struct admission, link);
	admit_remove(a);
	return (a);
}

static void
admit_refuse(struct chan *c, uint32_t id, enum refusal why)
{
	const struct refusal_info	*no = refusal_info(why);

	admit_answer(c, id, no->status, no->retry_s, no->text, 0);
}

static void
admit_tunnel(struct chan *c, uint32_t id, const struct ask *ask)
{
	const struct conf	*conf = proc_conf();
	struct admission	*a;
	char			 key[ADDR_SIZE];
	uint32_t		 retry;

	if (member_is_draining()) {
		audit_stranger(&(struct audit){ .address = ask->addr,
		    .action = "tunnel",
		    .reason = refusal_info(REFUSE_DRAINING)->text });
		admit_refuse(c, id, REFUSE_DRAINING);
		return;
	}
	if ((retry = named_shut_out(ask->proxyd, ask->addr)) > 0) {
		audit_stranger(&(struct audit){ .address = ask->addr,
		    .action = "tunnel", .reason = "failed too often" });
		admit_answer(c, id, 429, retry, "too many connection attempts",
		    0);
		return;
	}
	rate_address(ask->addr, key);
	if (named_hit(NAMED_TUNNEL, ask->proxyd, key, conf->rate_address,
	    conf->rate_address_s * 1000, &retry) == -1) {
		audit_stranger(&(struct audit){ .address = ask->addr,
		    .action = "tunnel",
		    .reason = "too many connection attempts" });
		admit_answer(c, id, 429, retry, "too many connection attempts",
		    0);
		return;
	}
	if ((a = admit_new(ask)) != NULL) {
		admit_say(c, id, a);
		return;
	}
	audit_stranger(&(struct audit){ .address = ask->addr,
	    .action = "tunnel", .reason = "server is busy" });
	admit_answer(c, id, 503, 5, "server is busy", 0);
}

/* While the store is asked: the ticket is used up already. */
struct opening {
	struct asker	asker;
	struct ask	ask;
	struct operator	who;
	uint64_t	stream;		/* to come back to; 0: a new one */
};

static void
opening_end(struct opening *o, enum refusal why, const struct admission *a)
{
	const struct refusal_info	*no = refusal_info(why);
	struct chan			*c = asker_chan(&o->asker);

	if (why != REFUSE_NOT)
		audit_refused(&(struct refused){ .who = &o->who,
		    .type = crowds[o->ask.class].type, .addr = o->ask.addr,
		    .session = o->ask.session, .service = o->ask.service,
		    .request = o->asker.request, .why = why });
	if (c != NULL && a != NULL)
		admit_say(c, o->asker.id, a);
	else if (c != NULL)
		admit_answer(c, o->asker.id, no->status,
		    no->status == 503 ? 5 : 0, no->text, 0);
	freezero(o, sizeof(*o));
}

static int
origin_is_known(const char *origin)
{
	const struct conf	*conf = proc_conf();
	unsigned		 i;

	if (origin[0] == '\0')
		return (1);
	for (i = 0; i < conf->n_console_origin; i++)
		if (strcmp(origin, conf->console_origin[i]) == 0)
			return (1);
	return (0);
}

/* The origin comes before the ticket is used up: operator-api.md, 6.2. */
static enum refusal
admit_ticket(struct opening *o)
{
	char	id[UUID_SIZE], service[SERVICE_SIZE];

	if (o->ask.grant != 0)
		return (internal_again(peer_find(o->asker.instance),
		    o->ask.grant, o->ask.session, &o->who));
	if (!origin_is_known(o->ask.origin))
		return (REFUSE_ORIGIN);
	if (o->ask.ticket[0] == '\0')
		return (REFUSE_TICKET_NONE);
	if (issue_redeem(o->ask.ticket, &o->who, id, service, &o->stream) ==
	    -1)
		return (REFUSE_TICKET);
	if (strcmp(id, o->ask.session) != 0)
		return (REFUSE_TICKET_SESSION);
	return (strcmp(service, o->ask.service) == 0 ? REFUSE_NOT :
	    REFUSE_TICKET_SERVICE);
}

/*
 * The parent starts no more of a class than this. When less than a quarter is
 * left an organization has no more than a sixteenth, of its operators and of
 * its sessions each.
 */
static void
crowd_size(struct crowd *cr)
{
	uint64_t	all = proc_conf()->startups_full;

	cr->by_operator.total = cr->by_session.total = all;
	cr->by_operator.few = cr->by_session.few = all < 16 ? 1 : all / 16;
}

/* 0; -1: the operator or the session has all that one may have. */
static int
visit_count(struct admission *a)
{
	struct crowd		*cr = &crowds[a->class];
	const struct session	*se = session_find(a->session);
	const char		*who = a->who.id;

	/* A back end has many operators, of whom we know nothing. */
	if (strcmp(who, back_end.id) == 0)
		who = a->session;
	crowd_size(cr);
	if (budget_take(&cr->by_operator, &a->by_operator, who,
	    a->who.org_id, 1) == -1)
		return (-1);
	if (budget_take(&cr->by_session, &a->by_session, a->session,
	    se != NULL ? se->org_id : NULL, 1) == 0)
		return (0);
	budget_leave(&cr->by_operator, &a->by_operator);
	return (-1);
}

/*
 * A terminal is over with its stream, and so is TCP; its worker may wait for
 * its peer's close some seconds more, and needs no place of the session for
 * that. It has its operator's until he wants it for another, or until its class
 * has few places left: then it goes.
 */
static void
visits_over(enum conn_class class, const char *operator)
{
	const struct budget	*b = &crowds[class].by_operator;
	int			 few = b->used >= b->total - b->total / 4;
	struct admission	*a;
	struct peer		*pe;

	TAILQ_FOREACH(pe, &peers, entry) {
		if (!peer_has(pe, RF_STREAM) || (a = pe->admission) == NULL ||
		    pe->asking != NULL || stream_find(pe->stream) != NULL)
			continue;
		budget_leave(&crowds[a->class].by_session, &a->by_session);
		if (strcmp(a->who.id, operator) != 0 &&
		    (!few || a->class != (int)class))
			continue;
		admit_free(a);
		pe->admission = NULL;
		peer_must_go(pe);
	}
}

struct admission *
admit_again(int role, const struct operator *who, const char *session)
{
	struct admission	*a;

	if ((a = calloc(1, sizeof(*a))) == NULL)
		return (NULL);
	a->class = role_class(role);
	a->who = *who;
	strlcpy(a->session, session, sizeof(a->session));
	(void)visit_count(a);
	return (a);
}

/* A worker is one of few that there can be: nobody has too many. */
static enum refusal
visit_new(const struct opening *o, struct admission **a)
{
	if (peer_find(o->asker.instance) == NULL ||
	    (*a = admit_new(&o->ask)) == NULL)
		return (REFUSE_BUSY);
	(*a)->who = o->who;
	if (visit_count(*a) == 0)
		return (REFUSE_NOT);
	visits_over(o->ask.class, o->who.id);
	if (visit_count(*a) == 0)
		return (REFUSE_NOT);
	admit_remove(*a);
	admit_free(*a);
	*a = NULL;
	return (crowds[o->ask.class].full);
}

/* What is told is in the store before anybody is let in. */
static void
admit_back(void *arg, int ok)
{
	struct opening		*o = arg;
	struct admission	*a = NULL;
	const struct stream	*st;
	enum refusal		 no = REFUSE_BUSY;

	st = again_find(&o->who, o->ask.session, o->stream);
	if (!ok)
		no = REFUSE_STORE;
	else if (st == NULL)
		no = REFUSE_TERMINAL_NONE;
	else if (peer_find(o->asker.instance) != NULL &&
	    (a = admit_new(&o->ask)) != NULL) {
		a->who = o->who;
		a->instance = st->terminal;
		no = REFUSE_NOT;
	}
	opening_end(o, no, a);
}

static void
admit_known(const struct facts *f, void *arg)
{
	struct opening		*o = arg;
	struct admission	*a = NULL;
	struct session		*se = session_find(o->ask.session);
	const struct stream	*st;
	enum refusal		 no;

	no = may_terminal(f, se, now_at());
	if (no == REFUSE_NOT && o->ask.class == CLASS_TCP &&
	    services_find(se->services, o->ask.service) == NULL)
		no = REFUSE_SERVICE_NONE;
	if (no == REFUSE_NOT && o->stream != 0) {
		st = again_find(&o->who, o->ask.session, o->stream);
		if (st != NULL) {
			again_came(st, o->ask.addr, o->asker.request);
			after(admit_back, o);
			return;
		}
		no = REFUSE_TERMINAL_NONE;
	}
	if (no == REFUSE_NOT)
		no = visit_new(o, &a);
	opening_end(o, no, a);
}

/* With a ticket, for one stream. */
static void
admit_visit(struct chan *c, uint32_t id, const struct ask *ask)
{
	struct opening		*o;
	struct session		*se;
	struct facts_keys	 keys = { .session = ask->session };
	unsigned		 needs = NEED_SCOPE;
	enum refusal		 no;

	if ((o = calloc(1, sizeof(*o))) == NULL) {
		admit_answer(c, id, 503, 5, "server is busy", 0);
		return;
	}
	o->asker.instance = peer_of(c)->instance;
	o->asker.id = id;
	o->ask = *ask;
	if ((no = admit_ticket(o)) != REFUSE_NOT) {
		opening_end(o, no, NULL);
		return;
	}
	keys.who = &o->who;
	keys.asker = o->asker.instance;
	if ((se = session_find(ask->session)) != NULL)
		keys.system_id = se->row.system_id;
	else
		needs |= NEED_SESSION;
	(void)facts_ask(needs, &keys, admit_known, o);
}

static void
admit_terminal(struct chan *c, uint32_t id, const struct ask *ask)
{
	struct ask	terminal = *ask;

	strlcpy(terminal.service, SERVICE_TERMINAL, sizeof(terminal.service));
	admit_visit(c, id, &terminal);
	explicit_bzero(&terminal, sizeof(terminal));
}

/* A terminal's ticket, which is for SERVICE_TERMINAL, is none for this. */
static void
admit_tcp(struct chan *c, uint32_t id, const struct ask *ask)
{
	struct ask	tcp = *ask;

	if (services_check_name(tcp.service) == -1)
		tcp.service[0] = '\0';
	admit_visit(c, id, &tcp);
	explicit_bzero(&tcp, sizeof(tcp));
}

static admit_relay_fn	relays_ask;

void
admit_relays(admit_relay_fn fn)
{
	relays_ask = fn;
}

/*
 * `service` "look": it will be refused anyway, unless one of these was first.
 */
static void
admit_relay(struct chan *c, uint32_t id, const struct ask *ask)
{
	struct asker	asker = { .instance = peer_of(c)->instance, .id = id };

	strlcpy(asker.request, log_request_now(), sizeof(asker.request));
	relays_ask(&asker, ask->proxyd, ask->addr, ask->session, ask->ticket,
	    strcmp(ask->service, "look") == 0);
}

/* All go to the one process that pairs. */
static void
admit_pair(struct chan *c, uint32_t id, const struct ask *ask)
{
	struct asker	asker = { .instance = peer_of(c)->instance, .id = id };
	uint64_t	instance = pairing_place();

	if (member_is_draining())
		admit_refuse(c, id, REFUSE_DRAINING);
	else if (instance == 0)
		admit_no(&asker, 503, 5, "server is busy");
	else
		(void)admit_yes(&asker, CLASS_PAIR, ask->proxyd, ask->addr, "",
		    instance);
}

/* The connection is there: its admission has its place no longer. */
int
admit_on_taken(struct chan *c, struct imsg *m)
{
	struct msg_pair_taken	 in;

	(void)c;
	if (get_pair_taken(m, &in) == -1)
		return (-1);
	admit_free(admit_take(in.nonce));
	return (0);
}

static void	(*const admit_fn[CLASS_COUNT])(struct chan *, uint32_t,
		    const struct ask *) = {
#define K(NAME, word, ROLE, startups, full)	[CLASS_##NAME] = admit_##word,
#include "proc/classes.def"
#undef K
};

int
admit_on_admit(struct chan *c, struct imsg *m)
{
	struct msg_admit	 in;
	struct ask		 ask;

	if (get_admit(m, &in) == -1 || class_info(in.class) == NULL)
		return (-1);
	log_request(in.request);
	ask.class = in.class;
	ask.proxyd = peer_of(c)->instance;
	strlcpy(ask.addr, in.addr, sizeof(ask.addr));
	strlcpy(ask.session, in.session, sizeof(ask.session));
	strlcpy(ask.ticket, in.ticket, sizeof(ask.ticket));
	strlcpy(ask.origin, in.origin, sizeof(ask.origin));
	strlcpy(ask.service, in.service, sizeof(ask.service));
	ask.grant = in.grant;
	admit_fn[ask.class](c, m->id, &ask);
	explicit_bzero(&ask, sizeof(ask));
	return (0);
}
