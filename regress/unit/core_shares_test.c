/* SPDX-License-Identifier: ISC */
/* What one operator, system, organization may have of authd's tables. */
#include <sodium.h>

#include "authd/core/effect.h"
#include "authd/core/end.h"
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
	return (done_testing());
}
