/* SPDX-License-Identifier: ISC */
/*
 * Guests: which there are after a look, how many, what hangs on one and ends with
 * it, and what of it is never ours.
 */
#include <sodium.h>

#include "authd/core/effect.h"
#include "authd/core/end.h"
#include "authd/core/grant.h"
#include "authd/core/guest.h"
#include "authd/core/rowlog.h"
#include "authd/core/services.h"
#include "authd/core/stream.h"
#include "authd/core/web.h"
#include "base/compat.h"
#include "proc/conf.h"
#include "regress/lib/tap.h"

static struct now	now = { .ms = 1000, .wall_ms = 1700000000000 };
static struct conf	conf;
static unsigned		tables, kills, written;	/* effects; rows */
static int64_t		open_ms = 1000;

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

static void
take(void)
{
	struct effect	e;

	while (effect_take(&e)) {
		tables += e.kind == EFFECT_SERVICES && e.session->guest;
		kills += e.kind == EFFECT_KILL;
	}
}

/* As a turn ends. */
static void
effects(void)
{
	tables = kills = 0;
	take();
	end_run(&now);
	take();
}

static int
count_row(const struct session_row *row, int fresh)
{
	(void)row;
	(void)fresh;
	written++;
	return (0);
}

static int
note(unsigned n, const char *system, const char *member, int64_t table)
{
	struct guest_row	row;

	memset(&row, 0, sizeof(row));
	snprintf(row.id, sizeof(row.id), "10000000-0000-0000-0000-%012x", n);
	strlcpy(row.system_id, system, sizeof(row.system_id));
	snprintf(row.node, sizeof(row.node), "%u", n);
	strlcpy(row.member, member, sizeof(row.member));
	row.status = SESSION_ACTIVE;
	row.expires_at = now.wall_ms + open_ms;
	row.services_at = table;
	return (guest_note(&row, &now));
}

static void
look(unsigned first, unsigned last, const char *member)
{
	guest_look();
	for (; first <= last; first++)
		(void)note(first, "one", member, 1);
	guest_looked();
	effects();
}

static void
which(void)
{
	struct session	*se;

	look(1, 2, "b");
	is_int(guest_count(), 2, "after a look there are those that were noted");
	is_int(tables, 2, "and proxyds hear of them");
	ok(guest_is_of("one") && !guest_is_of("two"), "of their system");
	se = guest_find("10000000-0000-0000-0000-000000000001");
	ok(se != NULL && se->guest && strcmp(se->row.member, "b") == 0,
	    "with their member");
	ok(session_find(se->row.id) == NULL &&
	    session_by_slot("one", "1") == NULL && session_count() == 0,
	    "which are none of ours");
	look(1, 2, "b");
	is_int(tables, 0, "nothing new: nobody hears of it");
	look(1, 2, "c");
	is_int(tables, 2, "another member has them: proxyds hear that");
	guest_look();
	(void)note(1, "one", "c", 1);
	effects();
	is_int(guest_count(), 2, "a look that fails takes nothing away");
	look(2, 2, "c");
	ok(guest_count() == 1 && tables == 1 &&
	    guest_find("10000000-0000-0000-0000-000000000001") == NULL,
	    "what is not there any more has gone, which proxyds hear");
	look(2, 2, "c");
	open_ms = 0;
	look(2, 2, "c");
	open_ms = 1000;
	is_int(guest_count(), 0, "one that has run out is none, whatever its row says");
}

static void
their_tables(void)
{
	struct session	*se;

	look(1, 1, "b");
	se = guest_stale();
	ok(se != NULL, "its table is to be read");
	guest_table(se, 1, services_new(1, 0, "one", ""));
	effects();
	ok(tables == 1 && guest_stale() == NULL, "once: proxyds hear of it");
	look(1, 1, "b");
	ok(guest_stale() == NULL, "and not again, as it is the same");
	guest_look();
	(void)note(1, "one", "b", 2);
	guest_looked();
	ok(guest_stale() == se, "another one is");
	guest_table(se, 2, NULL);
	ok(guest_stale() == NULL && se->services == NULL, "which may be none");
	look(1, 0, "");
}

static void
many(void)
{
	unsigned	i;
	char		system[16];

	guest_look();
	for (i = 0; note(i, "one", "b", 1) == 0; i++)
		continue;
	is_int(i, GUESTS_SYSTEM, "guests of one system");
	for (; guest_count() < GUESTS_MAX; i++) {
		snprintf(system, sizeof(system), "s%u", i);
		if (note(i, system, "b", 1) == -1)
			break;
	}
	is_int(guest_count(), GUESTS_MAX, "of all systems");
	is_int(note(i + 1, "more", "b", 1), -1, "more are left out");
	effects();
	look(1, 0, "");
	is_int(guest_count(), 0, "what goes makes room");
}

/* One of ours, with a tunnel and a service. */
static struct session *
ours(struct tunnel **t)
{
	static const char	hash[HEX64_SIZE] = "h";
	struct msg_service	in = { .name = "web", .target = "10.0.0.1:80",
	    .host = "app.lan", .label = "", .path = "", .path_prefix = "",
	    .module_id = "", .node_id = "" };
	struct system_row	sys;
	struct session		*se;

	memset(&sys, 0, sizeof(sys));
	strlcpy(sys.id, "one", sizeof(sys.id));
	se = session_new(&sys, "9", hash, &now);
	*t = tunnel_new(9);
	session_attach(se, *t);
	session_up(se, &now);
	(*t)->state = TUNNEL_UP;
	se->services = services_new(1, 1, "", "");
	(void)services_add(se->services, &in);
	session_flush(count_row, 1);
	session_flushed(1, &now);
	written = 0;
	return (se);
}

static struct grant *
granted(struct door *d, struct session *se, struct session *lender)
{
	struct operator	who = { .id = "alice", .expires = 1700009999 };
	struct grant_ask ask = { .door = d, .session = se, .lender = lender,
	    .who = &who, .service = "web", .addr = "192.0.2.1",
	    .reference = "", .asker = { .instance = 1, .id = 1 } };
	struct grant	*g;

	is_int(grant_new(&ask, &now), REFUSE_NOT, "a grant");
	g = TAILQ_LAST(&d->grants, grants);
	if (g->row != NULL) {
		g->row->saved = 1;
		grant_saved(g->id, 1, &now);
	}
	grant_told(g);
	return (g);
}

/* A token for a guest leads to what we have, as long as both are there. */
static void
lending(void)
{
	struct asker	 asker = { .instance = 1, .id = 1 };
	struct session	*se, *guest;
	struct tunnel	*t;
	struct stream	*st;
	struct grant	*g, *own;
	struct door	 door;

	conf.max_streams = 8;
	se = ours(&t);
	look(1, 1, "b");
	guest = guest_find("10000000-0000-0000-0000-000000000001");
	door_init(&door, 1);
	own = granted(&door, guest, NULL);
	ok(grant_holds(&door, "one"), "a grant on a guest is one of its system");
	is_int(web_open(own, "web", &asker, &now), REFUSE_TUNNEL_NONE,
	    "nothing is opened on a guest");
	g = granted(&door, se, guest);
	is_int(web_open(g, "web", &asker, &now), REFUSE_NOT,
	    "but on ours, by what it lends");
	effects();
	st = TAILQ_FIRST(&t->streams);
	ok(st != NULL && st->lender == guest, "a stream");
	if (st != NULL && st->row != NULL) {
		st->row->saved = 1;
		stream_saved(st->id, 1);
		effects();
		(void)stream_to_pair(st->id);
		stream_given(st->id);
	}
	look(1, 0, "");
	ok(kills == 1, "which ends with the guest");
	is_int(grant_count(), 0, "as do the grants");
	session_flush(count_row, 1);
	is_int((long long)written, 0, "of a guest nothing is written");
	session_flushed(1, &now);
	door_gone(&door);
	effects();
	tunnel_gone(t, &now);
	effects();
	session_clear();
	(void)rowlog_clear();
}

/* It comes to us while something of the guest is left. */
static void
coming(void)
{
	struct session_row	 row;
	struct session		*guest;
	struct door		 door;

	look(1, 1, "b");
	guest = guest_find("10000000-0000-0000-0000-000000000001");
	door_init(&door, 1);
	(void)granted(&door, guest, NULL);
	effects();
	row = guest->row;
	is_int(session_load(&row, NULL), 0, "a guest comes to us");
	ok(session_find(row.id) != guest, "and is another then");
	is_int(guest_gone(row.id), 1, "the guest ends");
	is_int(guest_gone(row.id), 0, "once");
	effects();
	is_int(grant_count(), 0, "with what hangs on it");
	look(1, 1, "b");
	is_int(guest_count(), 0, "a look that began before brings it not back");
	ok(session_find(row.id) != NULL && !session_find(row.id)->over,
	    "which stays when the guest has gone");
	door_gone(&door);
	effects();
	session_clear();
	(void)rowlog_clear();
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
	which();
	their_tables();
	many();
	lending();
	coming();
	guest_clear();
	is_int(effect_clear(), 0, "nothing is left");
	return (done_testing());
}
