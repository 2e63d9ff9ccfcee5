/* SPDX-License-Identifier: ISC */
/* What one operator, system, organization may have of authd's tables. */
#include <sodium.h>
#include <time.h>

#include "authd/core/effect.h"
#include "authd/core/end.h"
#include "authd/core/grant.h"
#include "authd/core/rowlog.h"
#include "authd/core/services.h"
#include "authd/core/session.h"
#include "authd/core/stream.h"
#include "authd/core/web.h"
#include "base/compat.h"
#include "proc/conf.h"
#include "regress/lib/tap.h"

#define OPERATOR	4096
#define TABLES		1000

static struct now	now = { .ms = 1000, .wall_ms = 1700000000000 };
static struct conf	conf;

static void
no_audit(const struct refused *r)
{
	(void)r;
}

static void
uuid(char id[UUID_SIZE])
{
	static unsigned	n;

	snprintf(id, UUID_SIZE, "00000000-0000-0000-0000-%012x", ++n);
}

static unsigned
rows_of(const char *name, unsigned n)
{
	struct operator	who;
	char		service[SERVICE_SIZE];
	unsigned	i;

	memset(&who, 0, sizeof(who));
	strlcpy(who.id, name, sizeof(who.id));
	for (i = 0; i < n; i++) {
		snprintf(service, sizeof(service), "s%u", i);
		if (rowlog_web(&who, "session", service, "192.0.2.1", &now) ==
		    NULL)
			break;
	}
	return (i);
}

static void
rows(void)
{
	is_int(rows_of("alice", OPERATOR + 100), OPERATOR,
	    "open rows of one operator");
	is_int(rows_of("alice", 10), 10, "those that are open are found");
	is_int(rows_of("bob", 10), 10, "another operator's are written");
	(void)rowlog_clear();
	is_int(rows_of("alice", 10), 10, "what is closed makes room");
	(void)rowlog_clear();
}

/* One table of big entries, and how many had room. */
static unsigned
fill(struct services **t, const char *system, const char *org)
{
	static char		path[PATH_SIZE];
	char			name[SERVICE_SIZE];
	struct msg_service	in = { .name = name,
	    .target = "10.0.0.1:80", .host = "", .label = "", .path = path,
	    .path_prefix = path, .module_id = "", .node_id = "" };
	unsigned		i;

	memset(path, 'p', sizeof(path) - 1);
	if ((*t = services_new(1, SERVICES_MAX, system, org)) == NULL)
		return (0);
	for (i = 0; i < SERVICES_MAX; i++) {
		snprintf(name, sizeof(name), "s%u", i);
		(void)services_add(*t, &in);
	}
	return ((*t)->n);
}

static void
tables(void)
{
	static struct services	*t[TABLES];
	unsigned		 n = 0, i;
	char			 system[16];

	while (n < TABLES && fill(&t[n++], "one", "org") == SERVICES_MAX)
		continue;
	ok(n < TABLES && t[n - 1]->n < SERVICES_MAX,
	    "tables of one system: %u", n);
	is_int(fill(&t[n++], "other", ""), SERVICES_MAX,
	    "another system's has room");
	for (i = 0; n < TABLES - 1; i++) {
		snprintf(system, sizeof(system), "y%u", i);
		if (fill(&t[n++], system, "org") < SERVICES_MAX)
			break;
	}
	ok(n < TABLES - 1, "an organization has not all the rest: %u", n);
	is_int(fill(&t[n++], "z", "third"), SERVICES_MAX,
	    "another organization's has room");
	while (n > 0)
		services_free(t[--n]);
	is_int(fill(&t[0], "one", "org"), SERVICES_MAX, "what goes makes room");
	services_free(t[0]);
}

static unsigned
sessions_of(const char *org, unsigned first, unsigned n)
{
	static const char	hash[HEX64_SIZE] = "h";
	struct system_row	sys;
	unsigned		i;

	memset(&sys, 0, sizeof(sys));
	strlcpy(sys.org_id, org, sizeof(sys.org_id));
	for (i = 0; i < n; i++) {
		snprintf(sys.id, sizeof(sys.id), "system%u", first + i);
		if (session_new(&sys, "", hash, &now) == NULL)
			break;
	}
	return (i);
}

static void
open_sessions(void)
{
	unsigned	all = 2 * (unsigned)conf.max_tunnels + 1024, n;

	n = sessions_of("org", 0, all);
	ok(n >= conf.max_tunnels && n <= all - all / 4 + 1,
	    "sessions of one organization: %u of %u", n, all);
	is_int(sessions_of("other", all, 10), 10, "another's are made");
	session_clear();
	is_int(effect_clear(), 0, "nothing is left");
}

static unsigned	refused;

static void
drain(void)
{
	struct effect	e;

	while (effect_take(&e))
		refused += e.kind == EFFECT_STREAM_REFUSED;
}

/* What it takes by the processor's clock. */
static double
ms(void)
{
	struct timespec	ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ((double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6);
}

/* None costs more because there are many already. */
static void
grants(void)
{
	struct door	 door, second;
	struct operator	 who = { .id = "alice", .expires = 1700009999 };
	struct grant_ask ask = { .door = &door, .who = &who, .service = "web",
	    .addr = "192.0.2.1", .reference = "",
	    .asker = { .instance = 1, .id = 1 } }, other;
	double		 at[4] = { 0 };
	unsigned	 i, part;

	(void)sessions_of("org", 0, 1);
	ask.session = TAILQ_FIRST(&sessions);
	door_init(&door, 1);
	for (part = 0; part < 4; part++) {
		at[part] = ms();
		for (i = 0; i < 10000; i++)
			(void)grant_new(&ask, &now);
		at[part] = ms() - at[part];
		drain();
	}
	is_int(grant_count(), 40000, "grants on one session");
	ok(at[3] < 5 * at[0] + 20, "the last 10,000 take %.0f ms, the first "
	    "%.0f", at[3], at[0]);
	other = ask;
	other.door = &second;
	door_init(&second, 2);
	for (; grant_count() < 40001; i++)
		(void)grant_new(&other, &now);
	drain();
	is_int(grant_new(&ask, &now) != REFUSE_NOT, 1, "a proxyd that has "
	    "more than its half of 65,536 gets no more");
	for (i = 1; grant_new(&other, &now) == REFUSE_NOT && i < 40000; i++)
		if (i % 4096 == 0)
			drain();
	is_int(i, 32768, "the other has its half");
	drain();
	door_gone(&second);
	door_gone(&door);
	end_run(&now);
	drain();
	session_clear();
	(void)rowlog_clear();
}

/* A grant of this door that is answered: its row is in the store. */
static struct grant *
granted(struct door *d, struct session *se)
{
	struct operator	who = { .id = "alice", .expires = 1700009999 };
	struct grant_ask ask = { .door = d, .session = se, .who = &who,
	    .service = "web", .addr = "192.0.2.1", .reference = "",
	    .asker = { .instance = d->instance, .id = 1 } };
	struct grant	*g;

	(void)grant_new(&ask, &now);
	g = TAILQ_LAST(&d->grants, grants);
	if (g->row != NULL) {	/* the first: its row is written */
		g->row->saved = 1;
		grant_saved(g->id, 1, &now);
	}
	drain();
	return (g);
}

/* So many ask for a stream; how many are refused? */
static unsigned
open_many(struct door *d, struct grant *g, unsigned n)
{
	struct asker	asker = { .instance = d->instance, .id = 1 };

	refused = 0;
	while (n-- > 0)
		(void)web_open(g, "web", &asker, &now);
	end_run(&now);
	drain();
	return (refused);
}

/* A tunnel that is up, with one service, of the first session. */
static struct tunnel *
tunnel_up(uint64_t instance)
{
	struct msg_service	 in = { .name = "web", .target = "10.0.0.1:80",
	    .host = "", .label = "", .path = "", .path_prefix = "",
	    .module_id = "", .node_id = "" };
	struct session		*se = TAILQ_FIRST(&sessions);
	struct tunnel		*t = tunnel_new(instance);

	session_attach(se, t);
	session_up(se, &now);
	t->state = TUNNEL_UP;
	se->services = services_new(1, 1, "", "");
	(void)services_add(se->services, &in);
	return (t);
}

static void
doors(struct door door[2], struct grant *g[2], struct session *se)
{
	unsigned	i;

	for (i = 0; i < 2; i++) {
		door_init(&door[i], 2 + i);
		g[i] = granted(&door[i], se);
	}
}

/* All end with their tunnel. */
static void
tunnel_down(struct tunnel *t)
{
	tunnel_gone(t, &now);
	end_run(&now);
	drain();
}

/* Who waits for room in a tunnel. */
static void
waiting(void)
{
	struct session		*se;
	struct tunnel		*t;
	struct door		 door[2];
	struct grant		*g[2];
	int			 i;

	conf.max_streams = 1;
	(void)sessions_of("", 0, 1);
	se = TAILQ_FIRST(&sessions);
	t = tunnel_up(9);
	door_init(&door[0], 1);
	g[0] = granted(&door[0], se);
	is_int(open_many(&door[0], g[0], 1 + 65), 1,
	    "64 wait for room in a tunnel, of the only proxyd");
	door_gone(&door[0]);
	tunnel_down(t);

	t = tunnel_up(10);
	doors(door, g, se);
	is_int(open_many(&door[0], g[0], 1 + 64), 32,
	    "32 of one of several");
	is_int(open_many(&door[1], g[1], 32), 0, "another one's wait, too");
	for (i = 0; i < 2; i++)
		door_gone(&door[i]);
	tunnel_down(t);
	session_clear();
	is_int(rowlog_clear(), 0, "nothing is in use");
}

/* Three quarters of a tunnel are one proxyd's, not the last one. */
static void
streams(void)
{
	struct tunnel		*t;
	struct door		 door[2];
	struct grant		*g[2];

	conf.max_streams = 8;
	(void)sessions_of("", 0, 1);
	t = tunnel_up(11);
	doors(door, g, TAILQ_FIRST(&sessions));
	(void)open_many(&door[0], g[0], 20);
	is_int(t->nstreams, 6, "of 8 streams of a tunnel one proxyd has 6");
	is_int(t->nwaiting, 14, "and waits for more");
	(void)open_many(&door[1], g[1], 2);
	is_int(t->nstreams, 8, "the last 2 are another one's, at once");
	stream_failed(TAILQ_LAST(&t->streams, streams)->id, REFUSE_NOT);
	end_run(&now);
	is_int(t->nstreams, 7, "which those who wait do not get");
	stream_failed(TAILQ_FIRST(&t->streams)->id, REFUSE_NOT);
	end_run(&now);
	is_int(t->nstreams, 7, "until one of their own has ended");
	door_gone(&door[1]);
	end_run(&now);
	tunnel_room(t);
	end_run(&now);
	is_int(t->nstreams, 8, "the only proxyd has all");
	door_gone(&door[0]);
	tunnel_down(t);
	session_clear();
	is_int(rowlog_clear(), 0, "nothing is in use");
}

/* The number of a stream that a member begins with which starts now. */
static uint64_t
first_number(struct door *d, struct grant *g, struct tunnel *t)
{
	stream_init(&now);
	(void)open_many(d, g, 1);
	return (TAILQ_LAST(&t->streams, streams)->id);
}

/*
 * Numbers of streams, by which operators name terminals: the same number at two
 * members would be a terminal of each. Nine that start in the same ms have the
 * same ones once in 10^33 runs.
 */
static void
numbers(void)
{
	struct tunnel	*t;
	struct door	 door;
	struct grant	*g;
	uint64_t	 first, n;
	int		 i, same = 0;

	conf.max_streams = 64;
	(void)sessions_of("", 0, 1);
	t = tunnel_up(12);
	door_init(&door, 1);
	g = granted(&door, TAILQ_FIRST(&sessions));
	first = first_number(&door, g, t);
	ok(first >> 20 == (uint64_t)now.wall_ms && first <= INT64_MAX,
	    "a number begins with the ms of the start, and is one of 63 bits");
	(void)open_many(&door, g, 1);
	n = TAILQ_LAST(&t->streams, streams)->id;
	ok(n > first && (n & 0x3fff) == (first & 0x3fff),
	    "the next is higher, with the same member's mark");
	for (i = 0; i < 8; i++)
		same += (first_number(&door, g, t) & 0x3fff) ==
		    (first & 0x3fff);
	ok(same < 8, "members that start in the same ms have marks of their "
	    "own");
	now.wall_ms++;
	ok(first_number(&door, g, t) > n + (62ULL << 14),
	    "64 of a ms are before those of the next");
	now.wall_ms--;
	door_gone(&door);
	tunnel_down(t);
	session_clear();
	is_int(rowlog_clear(), 0, "nothing is in use");
}

/* So many tunnels of an organization's systems. */
static unsigned
connected(const char *org, unsigned first, unsigned n)
{
	struct system_row	 sys = { .id = "" };
	struct session		*se;
	unsigned		 i;

	strlcpy(sys.org_id, org, sizeof(sys.org_id));
	for (i = 0; i < n; i++) {
		snprintf(sys.id, sizeof(sys.id), "system%u", first + i);
		if (!session_may_connect(NULL, &sys))
			break;
		if (sessions_of(org, first + i, 1) != 1)
			break;
		se = TAILQ_LAST(&sessions, sessions);
		session_attach(se, tunnel_new(100 + first + i));
	}
	return (i);
}

static void
tunnels(void)
{
	struct system_row	 sys = { .id = "system0", .org_id = "org" };
	struct session		*se;
	struct tunnel		*t;

	conf.max_tunnels = 64;
	is_int(connected("org", 0, 100), 48,
	    "of 64 tunnels an organization has 48");
	ok(session_may_connect(TAILQ_FIRST(&sessions), &sys),
	    "one that comes in the place of another has room");
	is_int(connected("other", 100, 100), 4,
	    "of the last 16 another one has 4");
	is_int(connected("third", 200, 1), 1, "and a third one the next");
	t = TAILQ_FIRST(&sessions)->tunnel;
	tunnel_gone(t, &now);
	end_run(&now);
	drain();
	is_int(connected("third", 300, 1), 1, "what goes makes room");
	while ((se = TAILQ_FIRST(&sessions)) != NULL) {
		if (se->tunnel != NULL)
			tunnel_gone(se->tunnel, &now);
		session_end(se, SESSION_CLOSED, "operator", 4000, &now);
		end_run(&now);
	}
	drain();
	session_clear();
	conf.max_tunnels = 1000;
}

/* Each with a row of the access log: its end looks at its own only. */
static double
end_sessions(unsigned n)
{
	struct operator	 who;
	struct session	*se;
	double		 took;

	memset(&who, 0, sizeof(who));
	(void)sessions_of("", 0, n);
	TAILQ_FOREACH(se, &sessions, entry) {
		snprintf(who.id, sizeof(who.id), "%.8s", se->row.id + 28);
		rowlog_release(rowlog_web(&who, se->row.id, "web",
		    "192.0.2.1", &now));
	}
	took = ms();
	while ((se = TAILQ_FIRST(&sessions)) != NULL)
		session_end(se, SESSION_CLOSED, "operator", 4000, &now);
	end_run(&now);
	took = ms() - took;
	drain();
	session_clear();
	(void)rowlog_clear();
	return (took);
}

static void
ends(void)
{
	double	few, many;

	conf.max_tunnels = 100000;
	few = end_sessions(2000);
	many = end_sessions(20000);
	ok(many < 30 * few + 50, "20,000 sessions end in %.0f ms, 2,000 in "
	    "%.0f", many, few);
}

int
main(void)
{
	if (sodium_init() == -1)
		return (1);
	conf_init(&conf);
	conf.max_tunnels = 1000;
	core_env.conf = &conf;
	core_env.uuid = uuid;
	core_env.refused = no_audit;
	index_init();
	core_init(&now);
	rows();
	tables();
	open_sessions();
	grants();
	waiting();
	streams();
	numbers();
	tunnels();
	ends();
	return (done_testing());
}
