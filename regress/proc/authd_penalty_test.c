/* SPDX-License-Identifier: ISC */
/*
 * An address that fails to log in waits, each time longer; no proxyd can make
 * one wait that others serve; a flood of addresses costs no memory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "regress/lib/authd_story.h"
#include "regress/lib/tap.h"

#define FLOOD		1000000
#define PRICE		50		/* seconds; the least that counts is 120 */
#define SLACK		15		/* what a slow machine takes */
#define WARM		400000		/* of them; BATCHes, as FLOOD is */
#define BATCH		64		/* that are on their way at once */

static struct far	*control, *proxyd;
static struct tunnel	 sys;		/* with its right secret */
static struct rows	 rows;

/* The status of a try from there, and how long to wait. */
static int
try(struct far *p, const char *addr, uint32_t *retry)
{
	struct msg_admitted	in;

	say_id(p->fd, next_id(p), admit, .class = CLASS_TUNNEL, .addr = addr);
	(void)hear(p->fd, admitted, &in);
	if (retry != NULL)
		*retry = in.retry_s;
	return (in.status);
}

static int
about(uint32_t seconds, uint32_t want)
{
	if (seconds <= want && seconds + SLACK >= want)
		return (1);
	diag("%u seconds, not %u", seconds, want);
	return (0);
}

static void
fail(struct far *p, const char *addr, int n)
{
	struct tunnel	t;

	while (n-- > 0) {
		t = sys;
		t.secret[strlen(t.secret) - 1] ^= 1;
		login(p, &t, "", "", addr);
		if (t.mux == NULL || t.status != 401)
			bail("a wrong secret: %d", t.status);
		far_close(t.mux);
	}
}

/* The cell of an address's row; "": it has none. */
static const char *
penalty(const char *addr, const char *column)
{
	static char	text[64];
	unsigned	i;

	text[0] = '\0';
	(void)ctl(control, &rows, CTL_SHOW_PENALTIES, CTL_END);
	for (i = 1; i < rows.n; i++)
		if (strcmp(cell(&rows, i, "address"), addr) == 0)
			strlcpy(text, cell(&rows, i, column), sizeof(text));
	rows_free(&rows);
	return (text);
}

static void
longer(void)
{
	const char	*addr = "192.0.2.1";
	struct tunnel	 t = sys;
	uint32_t	 retry = 0;

	fail(proxyd, addr, 2);
	is_int(try(proxyd, addr, NULL), 0, "two failures cost nothing");
	fail(proxyd, addr, 1);
	is_int(try(proxyd, addr, &retry), 429, "the third does");
	ok(about(retry, 3 * PRICE), "with the time to wait in Retry-After");
	is_int(try(proxyd, "192.0.2.2", NULL), 0, "its neighbour may");
	login(proxyd, &t, "", "", "192.0.2.2");
	is_int(t.status, 0, "the right secret from there");
	far_close(t.mux);
	ok(about((uint32_t)atoi(penalty(addr, "wait")), 3 * PRICE),
	    "show penalties: how long,");
	is_str(penalty(addr, "offences"), "3", "for how many,");
	is_str(penalty(addr, "cause"), "authfail", "and why");
	drive_clock(&authd, 2 * PRICE * 1000);
	(void)try(proxyd, addr, &retry);
	ok(about(retry, PRICE), "who tries meanwhile does not wait longer");
	drive_clock(&authd, PRICE * 1000);
	is_int(try(proxyd, addr, NULL), 0, "then it may");
	fail(proxyd, addr, 3);
	(void)try(proxyd, addr, &retry);
	ok(about(retry, 6 * PRICE), "and waits twice as long the next time");
	is_str(penalty(addr, "times"), "2", "which is counted");
}

/* What is no secret, and whose key is missing, costs the same. */
static void
malformed(void)
{
	const char	*addr = "192.0.2.60";
	struct tunnel	 t;
	int		 i;

	for (i = 0; i < 3; i++) {
		t = sys;
		if (i == 0)
			t.key[0] = '\0';
		else
			strlcpy(t.secret, "guess", sizeof(t.secret));
		login(proxyd, &t, "", "", addr);
		is_int(t.status, 401, "malformed, try %d", i + 1);
		far_close(t.mux);
	}
	is_int(try(proxyd, addr, NULL), 429, "a malformed try is one, too");
}

static int
clear(const char *word)
{
	int	code = ctl(control, &rows, CTL_PENALTY_CLEAR, word, CTL_END);

	rows_free(&rows);
	return (code);
}

static void
by_hand(void)
{
	is_int(clear("192.0.2.77"), 404, "an address without a penalty");
	is_int(clear("nobody"), 400, "something else");
	is_int(clear("192.0.2.1"), 0, "penalty clear");
	is_int(try(proxyd, "192.0.2.1", NULL), 0, "lets it try again");
	is_str(penalty("192.0.2.1", "wait"), "", "and forgets it");
	is_int(world_sql("SELECT count(*) FROM audit_events WHERE action = "
	    "'penalty_clear' AND object = '192.0.2.1'"), 1,
	    "which is an audit event");
	fail(proxyd, "192.0.2.1", 3);
	fail(proxyd, "192.0.2.3", 3);
	is_int(clear("all"), 0, "penalty clear all");
	ok(try(proxyd, "192.0.2.1", NULL) == 0 &&
	    try(proxyd, "192.0.2.3", NULL) == 0, "lets all");
}

/* Who cannot be told from others has no penalty, nor who is ours. */
static void
exempt(void)
{
	fail(proxyd, "198.51.100.7", 20);
	is_int(try(proxyd, "198.51.100.7", NULL), 0,
	    "a network that the configuration exempts");
	fail(proxyd, "10.9.0.1", 20);
	is_int(try(proxyd, "10.9.0.1", NULL), 0,
	    "a trusted proxy that names nobody");
	fail(proxyd, "203.0.113.1", 3);
	is_int(try(proxyd, "203.0.113.1", NULL), 429,
	    "but whom it names has one");
}

/* A connection for a tunnel that ends without a login. */
static void
noauth(void)
{
	const char	*addr = "192.0.2.20";
	struct far	*mux;
	int		 i;

	for (i = 0; i < 14; i++) {
		if (i == 11)
			is_int(try(proxyd, addr, NULL), 0,
			    "some that never log in");
		mux = drive_spawn(ROLE_MUXD, admit(proxyd, addr, NULL));
		far_close(mux);
		drive_sync(control);
	}
	is_int(try(proxyd, addr, NULL), 429, "are too many in the end");
	is_str(penalty(addr, "cause"), "noauth", "and it is said why");
}

/*
 * A muxd that crashes, be it that its channel or that the parent says so first.
 */
static void
crash(const char *addr, int parent_first)
{
	struct far	*mux = drive_spawn(ROLE_MUXD,
			    admit(proxyd, addr, NULL));
	uint64_t	 instance = mux->instance;

	drive_sync(control);
	if (parent_first)
		say(parent.fd, crashed, .instance = instance);
	drive_sync(control);
	far_close(mux);
	drive_sync(control);
	if (!parent_first)
		say(parent.fd, crashed, .instance = instance);
	drive_sync(control);
}

static void
crashes(void)
{
	int	first;

	for (first = 0; first < 2; first++) {
		const char	*addr = first ? "192.0.2.25" : "192.0.2.26";

		crash(addr, first);
		is_int(try(proxyd, addr, NULL), 0, "one crash");
		crash(addr, first);
		is_int(try(proxyd, addr, NULL), 429, "the second costs time");
	}
	say(parent.fd, crashed, .instance = 999999);
	drive_sync(control);
	is_int(try(proxyd, "192.0.2.27", NULL), 0, "one that nobody knew is "
	    "nobody's");
}

/* What is refused for other reasons is no failure to log in. */
static void
no_offence(void)
{
	struct tunnel	t = sys;
	int		i;

	(void)ctl(control, &rows, CTL_SYSTEM_DISABLE, sys.key, CTL_END);
	rows_free(&rows);
	for (i = 0; i < 20; i++) {
		t = sys;
		login(proxyd, &t, "", "", "192.0.2.30");
		far_close(t.mux);
	}
	is_int(t.status, 403, "a right secret of a system that is disabled");
	is_int(try(proxyd, "192.0.2.30", NULL), 0, "is no offence");
	(void)ctl(control, &rows, CTL_SYSTEM_ENABLE, sys.key, CTL_END);
	rows_free(&rows);
}

/* A broken proxyd says what it likes of an address that it never saw. */
static void
shares(void)
{
	const char	*addr = "203.0.113.9";
	struct far	*bad = drive_spawn(ROLE_PROXYD, 0);
	uint32_t	 retry;
	int		 i;

	drive_sync(control);
	for (i = 0; i < 5; i++) {
		fail(bad, addr, 3);
		(void)try(bad, addr, &retry);
		drive_clock(&authd, retry * 1000);
	}
	fail(bad, addr, 3);
	is_int(try(bad, addr, NULL), 429, "a proxyd has it shut out");
	is_int(try(proxyd, addr, NULL), 0, "there, and nowhere else");
	fail(proxyd, addr, 1);
	is_int(try(proxyd, addr, NULL), 0,
	    "with one failure of its own it may still");
	fail(proxyd, addr, 1);
	is_int(try(proxyd, addr, &retry), 429,
	    "with the second the other's word counts");
	ok(about(retry, 120), "as a first time");
	far_close(bad);
	drive_sync(control);
	is_int(clear(addr), 0, "what a proxyd said goes with it");
	fail(proxyd, addr, 2);
	is_int(try(proxyd, addr, NULL), 0, "then two are two");
}

static int
registering(const char *secret)
{
	return (api_say(proxyd, API_SYSTEM_REGISTER, "",
	    .system_secret = secret));
}

static void
registers(void)
{
	char	wrong[SECRET_SIZE];
	int	i;

	strlcpy(wrong, sys.secret, sizeof(wrong));
	wrong[strlen(wrong) - 1] ^= 1;
	for (i = 0; i < 3; i++)
		is_int(registering(wrong), 401, "a wrong secret, try %d",
		    i + 1);
	is_int(registering(sys.secret), 429, "then it waits");
	is_int(try(proxyd, "192.0.2.7", NULL), 429, "for tunnels, too");
}

static void
signs_in(void)
{
	int	i;

	for (i = 0; i < 3; i++)
		is_int(api_say(proxyd, API_SIGN_IN, "", .code = "f00d"), 401,
		    "a wrong sign-in code, try %d", i + 1);
	is_int(api_say(proxyd, API_SIGN_IN, "", .code = "f00d"), 429,
	    "then it waits");
}

/* Attempts from addresses that nobody has seen; how many are answered. */
static int
from_everywhere(uint32_t first, int n)
{
	struct imsg	m;
	char		addr[ADDR_SIZE];
	int		i, k, got = 0;

	for (i = 0; i < n; i += BATCH) {
		for (k = 0; k < BATCH; k++, first++) {
			snprintf(addr, sizeof(addr), "2001:db8:%x:%x::1",
			    first >> 16, first & 0xffff);
			say_id(proxyd->fd, next_id(proxyd), admit,
			    .class = CLASS_TUNNEL, .addr = addr);
		}
		for (k = 0; k < BATCH; k++)
			got += hear_maybe(proxyd->fd, IMSG_ADMITTED, &m,
			    WAIT_MS);
		while (hear_maybe(parent.fd, IMSG_ADMITTED, &m, 0) == 1)
			continue;
	}
	return (got);
}

static void
flood(void)
{
	const char	*addr = "192.0.2.50";
	long		 before, grown;

	fail(proxyd, addr, 3);
	/* The tables' pages are touched once; at random, so that takes many. */
	(void)from_everywhere(0, WARM);
	before = drive_kib(&authd, "status", "VmRSS:");
	ok(before > 0, "authd has %ld KiB", before);
	is_int(from_everywhere(WARM, FLOOD - WARM),
	    FLOOD - WARM, "a million addresses are answered");
	grown = drive_kib(&authd, "status", "VmRSS:") - before;
	diag("%ld KiB before, %ld KiB more after", before, grown);
	/*
	 * With sanitizers memory is theirs: that run has none to say. The heap
	 * moves by some MiB while admissions come and expire; addresses that
	 * were kept would be 40 bytes each and more.
	 */
	ok(getenv("RELAYD_STORE_LATE") != NULL ||
	    grown < (FLOOD - WARM) / 1024 * 28,
	    "and authd's memory is what it was, by far");
	is_int(try(proxyd, addr, NULL), 429, "who was shut out still is");
}

int
main(void)
{
	authd_init();
	drive_conf.penalty_authfail = PRICE;
	drive_conf.penalty_noauth = PRICE / 5;
	drive_conf.penalty_crash = 65;
	drive_conf.penalty_min = 120;
	drive_conf.penalty_max = 6000;
	strlcpy(drive_conf.penalty_exempt[0], "198.51.100.0/24",
	    sizeof(drive_conf.penalty_exempt[0]));
	drive_conf.n_penalty_exempt = 1;
	strlcpy(drive_conf.trusted_proxy[0], "10.9.0.0/16",
	    sizeof(drive_conf.trusted_proxy[0]));
	drive_conf.n_trusted_proxy = 1;
	authd_start(1);
	control = drive_spawn(ROLE_CONTROL, 0);
	proxyd = drive_spawn(ROLE_PROXYD, 0);
	system_add(control, &sys, "");
	longer();
	malformed();
	by_hand();
	exempt();
	noauth();
	crashes();
	no_offence();
	shares();
	registers();
	(void)clear("192.0.2.7");
	signs_in();
	flood();
	is_int(authd_scene_end(control, proxyd, NULL), 0,
	    "authd stops in order");
	return (done_testing());
}
