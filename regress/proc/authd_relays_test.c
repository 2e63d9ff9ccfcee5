/* SPDX-License-Identifier: ISC */
/*
 * A relay session of several members, as one's authd decides: what it takes of
 * one that is gone, what it says where another has taken one from it, and how
 * often one asks for what nobody has.
 */
#include <sodium.h>

#include <stdio.h>
#include <string.h>

#include "base/compat.h"
#include "regress/lib/authd_story.h"
#include "regress/lib/tap.h"

#define EVER	"9999999999999"
#define TOKEN	"token-of-the-initiator"
#define STRAYS	60	/* relay_seat.c */
#define KEPT_INSTANCE	4711
#define SILENT	16000	/* ms without a beat: others may think us gone */

static struct far	*control, *proxyd;

static void
member(const char *name, const char *beat)
{
	(void)world_sql("INSERT INTO members (name, address, port, version,"
	    " started_at, beat_at) VALUES ('%s', '%s.test', 7, '1', 1, %s)",
	    name, name, beat);
}

/* One of that member's, to which TOKEN lets the initiator in. */
static void
relay(const char *id, const char *at, const char *expires)
{
	uint8_t	hash[32];
	char	text[65];

	crypto_generichash(hash, sizeof(hash), (const uint8_t *)TOKEN,
	    strlen(TOKEN), NULL, 0);
	(void)sodium_bin2hex(text, sizeof(text), hash, sizeof(hash));
	(void)world_sql("INSERT INTO relay_sessions (id, initiator, responder,"
	    " channels, created_at, expires_at, moved_at, bytes_in, bytes_out,"
	    " member) VALUES ('%s', '%s', '%s', 1, 1, %s, 1, 0, 0, '%s')", id,
	    text, text, expires, at);
}

static int
is_of(const char *id, const char *at)
{
	return (world_sql("SELECT count(*) FROM relay_sessions WHERE id = '%s'"
	    " AND member = '%s'", id, at) == 1);
}

static const char *
where(const char *id)
{
	static char		 name[MEMBER_SIZE];
	struct msg_where_is	 in;

	say_id(proxyd->fd, next_id(proxyd), where, .kind = FORWARD_RELAY,
	    .session = id, .request = "");
	(void)hear(proxyd->fd, where_is, &in);
	snprintf(name, sizeof(name), "%s", in.member);
	return (name);
}

/* Somebody comes to it: the status, 0 if he may, and then the nonce. */
static int
comes(const char *id, const char *addr, const char *token, uint64_t *nonce)
{
	struct msg_admitted	in;

	say_id(proxyd->fd, next_id(proxyd), admit, .class = CLASS_RELAY,
	    .addr = addr, .session = id, .ticket = token);
	(void)hear(proxyd->fd, admitted, &in);
	if (nonce != NULL)
		*nonce = in.nonce;
	return (in.status);
}

static int
deletes(const char *id)
{
	struct msg_api_result	in;

	say_id(proxyd->fd, next_id(proxyd), relay, .op = RELAY_DELETE,
	    .addr = "192.0.2.7", .session = id);
	(void)hear(proxyd->fd, api_result, &in);
	return (in.status);
}

static void
test_gone(void)
{
#define WAS	"AAAAAAAAAAAAAAAAAAAAAA"
#define OVER	"BBBBBBBBBBBBBBBBBBBBBB"
#define NONE	"CCCCCCCCCCCCCCCCCCCCCC"
	relay(WAS, "d", EVER);
	relay(OVER, "d", "2");
	is_str(where(WAS), "", "of a member that is gone");
	ok(is_of(WAS, "a"), "it is ours now");
	is_int(comes(WAS, "192.0.2.7", TOKEN, NULL), 0, "who has its token "
	    "may come");
	is_str(where(OVER), "", "one that has ended");
	ok(is_of(OVER, "d"), "is not taken");
	is_int(comes(OVER, "192.0.2.7", TOKEN, NULL), 404, "nor is there any "
	    "such");
	ok(is_of(OVER, "d"), "and still it is not ours");
	is_int(deletes(OVER), 404, "nor can it be ended");
	relay(NONE, "b", EVER);
	is_int(deletes(NONE), 503, "what another has is not ended here");
	ok(is_of(NONE, "b"), "and is its own still");
}

/* Another has it meanwhile: who was let in hears 1001, and comes again. */
static void
test_moved(void)
{
#define FIRST	"DDDDDDDDDDDDDDDDDDDDDD"
#define SECOND	"EEEEEEEEEEEEEEEEEEEEEE"
	struct msg_seated	 in;
	struct far		*rendd, *late;
	uint64_t		 nonce, other;

	relay(FIRST, "a", EVER);
	relay(SECOND, "a", EVER);
	is_int(comes(FIRST, "192.0.2.7", TOKEN, &nonce), 0, "one is let in");
	is_int(comes(SECOND, "192.0.2.7", TOKEN, &other), 0, "and one to "
	    "another");
	rendd = drive_spawn(ROLE_RENDD, nonce);
	drive_sync(control);
	(void)world_sql("UPDATE relay_sessions SET member = 'b' WHERE id IN"
	    " ('" FIRST "', '" SECOND "')");
	drive_clock(&authd, SILENT);
	ok(drive_logs(&authd, "DDDDDD: others have it") &&
	    drive_logs(&authd, "EEEEEE: others have it"), "both are another's");
	say_id(rendd->fd, next_id(rendd), seat, .nonce = nonce);
	(void)hear(rendd->fd, seated, &in);
	is_int(in.status, 0, "his rendd asks where he belongs: no refusal");
	is_int(in.code, 1001, "but an end by which he comes again");
	is_str(in.message, "moved", "as those hear who are seated");
	late = drive_spawn(ROLE_RENDD, other);
	say_id(late->fd, next_id(late), seat, .nonce = other);
	(void)hear(late->fd, seated, &in);
	is_int(in.code, 1001, "a rendd that starts only now");
	is_str(in.message, "moved", "hears the same");
	far_close(rendd);
	far_close(late);
}

/* Its session is over: what it says does not give it more time. */
static void
test_goes(void)
{
#define ENDS	"NNNNNNNNNNNNNNNNNNNNNN"
	struct msg_offence	 in;
	struct msg_seated	 seated;
	struct far		*rendd;
	uint64_t		 nonce;

	relay(ENDS, "a", EVER);
	is_int(comes(ENDS, "192.0.2.8", TOKEN, &nonce), 0, "one is let in");
	rendd = drive_spawn(ROLE_RENDD, nonce);
	say_id(rendd->fd, next_id(rendd), seat, .nonce = nonce);
	(void)hear(rendd->fd, seated, &seated);
	is_int(seated.status, 0, "and seated");
	(void)world_sql("UPDATE relay_sessions SET member = 'b' WHERE id = '"
	    ENDS "'");
	drive_clock(&authd, SILENT);
	ok(drive_logs(&authd, "NNNNNN: others have it"), "it is another's");
	(void)hear(rendd->fd, close, NULL);
	drive_clock(&authd, 4000);
	say(rendd->fd, relay_empty);
	drive_sync(control);
	drive_tick(&authd, 1001);
	(void)hear(parent.fd, offence, &in);
	ok(in.instance == rendd->instance, "a rendd that says that nobody is "
	    "there does not stay longer: %s", in.reason);
	far_close(rendd);
}

/* We stood still: what memory says is ours may be another's. */
static void
test_late(void)
{
#define LATE	"FFFFFFFFFFFFFFFFFFFFFF"
	int	i, wrong = 0;

	relay(LATE, "a", EVER);
	is_str(where(LATE), "", "one of ours");
	(void)world_sql("UPDATE relay_sessions SET member = 'b' WHERE id = '"
	    LATE "'");
	drive_tick(&authd, SILENT);
	for (i = 0; i < 8; i++)
		wrong += deletes(LATE) != 503;
	is_int(wrong, 0, "nobody ends at a member that is late what another "
	    "has");
	ok(is_of(LATE, "b"), "and it is there");
}

/* A look into the store for each id that one makes up: not as many as one likes. */
static void
test_strays(void)
{
	char	id[23];
	int	i, wrong = 0;

	for (i = 0; i < STRAYS; i++) {
		snprintf(id, sizeof(id), "GGGGGGGGGGGGGGGGGGGG%02d", i);
		wrong += comes(id, "192.0.2.9", "x", NULL) != 404;
	}
	is_int(wrong, 0, "so many unknown ids of one address are looked for");
	is_int(comes("HHHHHHHHHHHHHHHHHHHHHH", "192.0.2.9", "x", NULL), 429,
	    "one more is not");
	is_int(comes("HHHHHHHHHHHHHHHHHHHHHH~1", "192.0.2.9", "x", NULL), 429,
	    "nor one with a channel");
	is_int(comes(WAS, "192.0.2.9", TOKEN, NULL), 0, "what we have is there "
	    "for it");
	is_int(comes("HHHHHHHHHHHHHHHHHHHHHH", "192.0.2.10", "x", NULL), 404,
	    "and another address may ask");
}

static void
slot(const struct far *rendd, unsigned slot, unsigned taken)
{
	say(rendd->fd, slot, .slot = (uint8_t)slot, .taken = (uint8_t)taken,
	    .addr = "192.0.2.7", .why = "");
}

/* It is ended by the parent, which hears why. */
static void
offends(struct far *rendd, const char *what)
{
	struct msg_offence	in;

	(void)hear(parent.fd, offence, &in);
	is_int((int64_t)in.instance, (int64_t)rendd->instance, "%s", what);
	far_close(rendd);
}

/* One comes, starts its rendd, and sits. */
static struct far *
sits(const char *id)
{
	struct msg_seated	 in;
	struct far		*rendd;
	uint64_t		 nonce;

	if (comes(id, "192.0.2.7", TOKEN, &nonce) != 0)
		bail("nobody comes");
	rendd = drive_spawn(ROLE_RENDD, nonce);
	say_id(rendd->fd, next_id(rendd), seat, .nonce = nonce);
	(void)hear(rendd->fd, seated, &in);
	if (in.status != 0 || in.code != 0)
		bail("nobody sits");
	slot(rendd, SLOT_INITIATOR, 1);
	return (rendd);
}

/* Each SLOT is a write of the store: as many as connections, and no more. */
static void
test_slots(void)
{
#define SLOTS	"IIIIIIIIIIIIIIIIIIIIII"
#define KEPT	"KKKKKKKKKKKKKKKKKKKKKK"
	struct msg_seated	 in;
	struct far		*rendd;
	uint64_t		 nonce;

	relay(SLOTS, "a", EVER);
	rendd = sits(SLOTS);
	slot(rendd, SLOT_INITIATOR, 0);
	if (comes(SLOTS, "192.0.2.7", TOKEN, &nonce) != 0)
		bail("nobody comes again");
	say_id(rendd->fd, next_id(rendd), seat, .nonce = nonce);
	(void)hear(rendd->fd, seated, &in);
	is_int(in.code, 0, "who comes again has the slot that was left");
	slot(rendd, SLOT_INITIATOR, 1);
	slot(rendd, SLOT_INITIATOR, 0);
	drive_sync(control);
	slot(rendd, SLOT_INITIATOR, 1);
	offends(rendd, "a slot that is taken oftener than connections came "
	    "ends the rendd");
	rendd = sits(SLOTS);
	slot(rendd, SLOT_INITIATOR, 1);
	offends(rendd, "and so does one that is taken twice");
	rendd = sits(SLOTS);
	slot(rendd, SLOT_INITIATOR, 0);
	slot(rendd, SLOT_INITIATOR, 0);
	offends(rendd, "and one that is left twice");
	/* What it says of before us: authd had it as its own already. */
	relay(KEPT, "a", EVER);
	is_str(where(KEPT), "", "a session of ours");
	is_int(comes(KEPT, "192.0.2.7", TOKEN, NULL), 0, "is known");
	rendd = drive_spawn_bound(ROLE_RENDD, KEPT_INSTANCE, "", KEPT, 0);
	slot(rendd, SLOT_INITIATOR, 1);
	slot(rendd, SLOT_RESPONDER, 1);
	slot(rendd, SLOT_RESPONDER, 0);
	slot(rendd, SLOT_INITIATOR, 0);
	/* Who knocked at either, as the first was lost. */
	slot(rendd, SLOT_INITIATOR, 1);
	slot(rendd, SLOT_RESPONDER, 1);
	slot(rendd, SLOT_RESPONDER, 0);
	slot(rendd, SLOT_INITIATOR, 0);
	say(rendd->fd, relay_stats, .in = 1, .out = 1, .moved = 1);
	drive_sync(control);
	slot(rendd, SLOT_INITIATOR, 1);
	offends(rendd, "one of before says once who sits in each slot and who "
	    "follows him, and no more");
}

int
main(void)
{
	authd_init();
	strlcpy(drive_conf.cluster_name, "a", MEMBER_SIZE);
	strlcpy(drive_conf.cluster_address, "a.test", PEER_SIZE);
	drive_conf.cluster_port = 7;
	drive_conf.relay = drive_conf.relay_no_auth = 1;
	authd_start(1);
	control = drive_spawn(ROLE_CONTROL, 0);
	proxyd = drive_spawn(ROLE_PROXYD, 0);
	(void)sql_becomes(1, "SELECT count(*) FROM sqlite_master"
	    " WHERE name = 'members'");
	drive_sync(control);
	member("b", "strftime('%s', 'now') * 1000 + 900000000");
	member("d", "1");
	drive_clock(&authd, 5000);
	drive_sync(control);
	drive_sync(control);
	test_gone();
	test_strays();
	test_slots();
	test_moved();
	test_goes();
	test_late();
	far_close(proxyd);
	far_close(control);
	is_int(authd_stop(), 0, "authd leaves in order");
	return (done_testing());
}
