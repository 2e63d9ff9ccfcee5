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
#include "base/compat.h"
#include "proc/conf.h"
#include "regress/lib/tap.h"

#define OPERATOR	4096
#define TABLES		1000

static struct now	now = { .ms = 1000, .wall_ms = 1700000000000 };
static struct conf	conf;

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
	struct door	 door;
	struct effect	 e;
	struct operator	 who = { .id = "alice", .expires = 1700009999 };
	struct asker	 asker = { 1, 1 };
	struct session	*se;
	double		 at[4] = { 0 };
	unsigned	 i, part;

	(void)sessions_of("org", 0, 1);
	se = TAILQ_FIRST(&sessions);
	door_init(&door, 1);
	for (part = 0; part < 4; part++) {
		at[part] = ms();
		for (i = 0; i < 10000; i++)
			(void)grant_new(&door, se, &who, "web", "192.0.2.1",
			    &asker, &now);
		at[part] = ms() - at[part];
		while (effect_take(&e))
			continue;
	}
	is_int(grant_count(), 40000, "grants on one session");
	ok(at[3] < 5 * at[0] + 20, "the last 10,000 take %.0f ms, the first "
	    "%.0f", at[3], at[0]);
	door_gone(&door);
	end_run(&now);
	while (effect_take(&e))
		continue;
	session_clear();
	(void)rowlog_clear();
}

/* Each with a row of the access log: its end looks at its own only. */
static double
end_sessions(unsigned n)
{
	struct operator	 who;
	struct session	*se;
	struct effect	 e;
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
	while (effect_take(&e))
		continue;
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
	index_init();
	core_init(&now);
	rows();
	tables();
	open_sessions();
	grants();
	ends();
	return (done_testing());
}
