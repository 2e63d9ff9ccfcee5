/* SPDX-License-Identifier: ISC */
/*
 * The parent's half of every channel: the walk over its dispatch table, what it
 * does with BOUND and OFFENCE, the watchdog, its limits.
 */
#include <sys/socket.h>

#include <event2/event.h>

#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "regress/lib/parent_world.h"
#include "regress/lib/tap.h"
#include "regress/lib/walk.h"

/* The table: who else, when else, how else. */

static int	walk_fd;	/* what a message carries */

static int
check(const struct dispatch *d, const struct bent *b, uint64_t *seen)
{
	static uint8_t	zero[IMSG_MAX];
	struct imsg	m = { .type = d->type, .id = b->id, .p = zero,
	    .end = zero + b->len, .fd = b->fd ? walk_fd : -1 };
	const char	*reason;

	return (imsg_check(&m, parent_table, parent_rows, b->role, b->state,
	    seen, &reason) == d);
}

static void
bent(const struct dispatch *d, const struct bent *b)
{
	static const char *const	words[BENDS] = {
		[BEND_LEAST] = "least", [BEND_MOST] = "most",
		[BEND_SHORT] = "a byte less", [BEND_LONG] = "a byte more",
		[BEND_FD] = "descriptor surplus or missing",
		[BEND_NO_FD] = "descriptor surplus or missing",
		[BEND_NO_ID] = "without an id" };
	static int	wrong;
	const char	*name = imsg_name(d->type);
	uint64_t	seen = 0;

	if (b->how == BEND_ROLE || b->how == BEND_STATE)
		wrong += check(d, b, NULL);
	if (b->how == BEND_LONG) {
		is_int(wrong, 0, "%s: no other role, no other state", name);
		wrong = 0;
	}
	if (b->how == BEND_TWICE) {
		(void)check(d, b, &seen);
		is_int(check(d, b, &seen), !(d->flags & MF_ONCE),
		    "%s: a second one", name);
	}
	if (words[b->how] != NULL)
		is_int(check(d, b, NULL), b->how == BEND_LEAST ||
		    b->how == BEND_MOST, "%s: %s", name, words[b->how]);
}

static void
walk(void)
{
	int	sv[2];

	if (imsg_pair(sv) == -1)
		bail_out("socketpair");
	walk_fd = sv[0];
	walk_table(parent_table, parent_rows, bent);
	close(sv[0]);
	close(sv[1]);
}

/* BOUND and OFFENCE */

static void
bound(uint64_t instance)
{
	make(IMSG_BOUND, &(struct msg_bound){ .instance = instance,
	    .system = "NETH-1", .generation = 3, .addr = "192.0.2.7",
	    .since = 77,
	    .session = "7f000001-0000-4000-8000-000000000000" });
}

static void
offence(uint64_t instance)
{
	make(IMSG_OFFENCE, &(struct msg_offence){ .instance = instance,
	    .reason = "lied\n" });
}

static void
words_of_authd(void)
{
	struct child	*a, *muxd;
	int		 far, far_muxd;
	uint64_t	 gone;

	a = child_make(ROLE_AUTHD, CHILD_READY, &far);
	muxd = child_make(ROLE_MUXD, CHILD_READY, &far_muxd);
	bound(muxd->instance);
	child_says(far, -1);
	is_str(killed, "", "BOUND is taken");
	is_str(muxd->session, "7f000001-0000-4000-8000-000000000000",
	    "and kept for the next authd");
	is_int(muxd->generation, 3, "with its generation");
	ok(strcmp(muxd->addr, "192.0.2.7") == 0 && muxd->since == 77,
	    "from where, since when");
	is_int(child_startups(), 0, "it has logged in");
	bound(muxd->instance);
	child_says(far, -1);
	is_int(child_startups(), 0, "twice changes nothing");
	offence(muxd->instance);
	child_says(far, -1);
	is_str(killed, "authd: lied\\x0a", "OFFENCE ends the instance");
	gone = muxd->instance;
	child_free(muxd);
	close(far_muxd);
	offence(gone);
	child_says(far, -1);
	ok(a->chan != NULL, "of one that has ended: nothing");
	offence(a->instance);
	child_says(far, -1);
	ok(a->chan == NULL, "of authd itself: that ends authd");
	child_free(a);
	close(far);
	a = child_make(ROLE_AUTHD, CHILD_READY, &far);
	bound(999999);
	child_says(far, -1);
	ok(a->chan == NULL, "BOUND of one that never was ends authd: %s",
	    killed);
	child_free(a);
	close(far);
	muxd = child_make(ROLE_MUXD, CHILD_READY, &far_muxd);
	bound(muxd->instance);
	child_says(far_muxd, -1);
	ok(muxd->chan == NULL, "BOUND from a muxd ends it: %s", killed);
	child_free(muxd);
	close(far_muxd);
	muxd = child_make(ROLE_MUXD, CHILD_READY, &far_muxd);
	close(far_muxd);
	killed[0] = '\0';
	turn();
	ok(muxd->chan == NULL && killed[0] == '\0',
	    "a channel that ends in peace is no offence");
	child_free(muxd);
}

/* The watchdog. */

static int
asked(int far)
{
	struct imsg	m;

	return (hear_any(far, &m, 0) == IMSG_PING);
}

static void
pong(int far)
{
	make(IMSG_PONG, NULL);
	child_says(far, -1);
}

/* A round each second: after how many? */
static int
rounds_until_asked(int far)
{
	int	i;

	for (i = 1; i < 200; i++) {
		clock_move(1000);
		watch_round();
		if (asked(far))
			break;
	}
	return (i);
}

static void
hangs(void)
{
	struct child	*c, *muxd;
	int		 far, far_muxd, i, rounds;

	c = child_make(ROLE_PROXYD, CHILD_READY, &far);
	watch_round();
	ok(asked(far), "who stands is asked at once");
	for (i = 0; i < 20; i++)
		watch_round();
	ok(c->chan != NULL, "and may take its time with its first answer");
	pong(far);
	for (i = 0; i < 5; i++) {
		watch_round();
		ok(asked(far), "then it is asked each second");
		pong(far);
	}
	watch_round();
	for (i = 0; i < 5; i++)
		watch_round();
	ok(c->chan != NULL, "five seconds are not too long");
	killed[0] = '\0';
	watch_round();
	ok(c->chan == NULL, "six are");
	is_str(killed, "does not answer", "and it is ended");
	killed[0] = '\0';
	muxd = child_make(ROLE_MUXD, CHILD_READY, &far_muxd);
	rounds = rounds_until_asked(far_muxd);
	ok(rounds == 80, "a worker is asked after 80 s of silence");
	pong(far_muxd);
	ok(rounds_until_asked(far_muxd) == 80, "and again after as many");
	pong(far_muxd);
	clock_move(45000);
	pong(far_muxd);
	ok(rounds_until_asked(far_muxd) == 80,
	    "what it says unasked is taken for an answer");
	is_str(killed, "", "and it lives while it answers");
	killed[0] = '\0';
	for (i = 0; i < 6; i++)
		watch_round();
	is_str(killed, "does not answer", "then it does not");
	child_free(c);
	close(far);
	c = child_make(ROLE_PROXYD, CHILD_READY, &far);
	pong(far);
	ok(c->chan == NULL, "who stands and answers unasked is ended");
	child_free(c);
	close(far);
	c = child_make(ROLE_MUXD, CHILD_READY, &far);
	clock_move(20000);
	pong(far);
	ok(c->chan != NULL, "a worker may, now and then");
	pong(far);
	ok(c->chan == NULL, "and is ended when it does so again at once");
	child_free(c);
	child_free(muxd);
	close(far);
	close(far_muxd);
}

static void
limits(void)
{
	struct conf	c;
	uint64_t	n, last = 0;
	unsigned	dice, dropped, prev = 0;
	int		wrong = 0;

	conf_init(&c);
	for (dice = 0; dice < 100; dice++) {
		wrong += limits_drop(&c, 0, dice);
		wrong += limits_drop(&c, 199, dice);
		wrong += !limits_drop(&c, 1000, dice);
		wrong += !limits_drop(&c, 5000, dice);
	}
	is_int(wrong, 0, "none below begin, all from full on");
	for (n = 200; n < 1000; n += 50) {
		for (dice = 0, dropped = 0; dice < 100; dice++)
			dropped += (unsigned)limits_drop(&c, n, dice);
		if (n == 200)
			is_int(dropped, 30, "at begin: the rate");
		wrong += dropped < prev;
		prev = dropped;
	}
	is_int(wrong, 0, "and rising between");
	c.startups_begin = c.startups_full = 5;
	ok(!limits_drop(&c, 4, 0) && limits_drop(&c, 5, 99), "begin = full");

	conf_init(&c);
	is_int(limits_fit(&c, 100, 1 << 22), 0, "no room at all");
	for (n = 4000; n < 40000; n += 997) {
		wrong += limits_fit(&c, n, 1 << 22) < last;
		last = limits_fit(&c, n, 1 << 22);
		/* One more descriptor a child, and it does not fit. */
		wrong += last > 0 &&
		    2 * last + 128 + IMSG_SPARE + 2 * (2 * c.startups_full + 66) > n;
	}
	is_int(wrong, 0, "what fits, fits");
	ok(limits_fit(&c, 1 << 22, 32768) < 32768 - 2000, "pid_max counts");
}

#ifdef RELAYD_TESTING
static int	 printed;
static char	 last_line[256];

static void
printer(enum log_level level, const char *line)
{
	(void)level;
	printed++;
	snprintf(last_line, sizeof(last_line), "%s", line);
}

static void
put(int fd, const char *line)
{
	if (write(fd, line, strlen(line)) == -1)
		bail_out("write");
}

/* A child that floods the log: cut short, and what is lost is counted. */
static void
flood(void)
{
	struct child	*c;
	int		 far, sv[2], i;

	c = child_make(ROLE_MUXD, CHILD_READY, &far);
	if (pipe2(sv, O_DIRECT | O_NONBLOCK) == -1)
		bail_out("pipe");
	c->log = childlog_new(c, sv[0]);
	log_printer(printer);
	for (i = 0; i < 1000; i++) {
		if (write(sv[1], "\2hello\n", 7) != 7)
			bail_out("write");
		if (i % 10 == 0)
			turn();
	}
	turn();
	ok(printed >= 400 && printed < 600, "a flood is cut short: %d lines",
	    printed);
	ok(strstr(last_line, "muxd[0]") != NULL &&
	    strstr(last_line, ": hello\\x0a") != NULL,
	    "with the child's name: %s", last_line);
	clock_move(2000);
	put(sv[1], "\2again");
	turn();
	ok(strstr(last_line, ": again") != NULL, "later it is heard again");
	clock_move(5000);
	turn();
	ok(strstr(last_line, "lines dropped: too many") != NULL,
	    "what was lost is counted: %s", last_line);
	put(sv[1], "\1last words");
	childlog_free(c->log);
	child_free(c);
	ok(strstr(last_line, ": last words") != NULL,
	    "what it said before it ended is heard");
	log_printer(NULL);
	close(sv[1]);
	close(far);
}
#endif

/* PROCESSES: of each role and state one row, with the layers that all have. */
static void
processes(void)
{
	struct msg_process	in;
	struct imsg		m = { .type = 0 };
	unsigned		rows = 0;
	int			far, first, second;

	child_make(ROLE_AUTHD, CHILD_READY, &far);
	child_make(ROLE_TCPD, CHILD_READY, &first)->layers = SB_USER |
	    SB_SECCOMP;
	child_make(ROLE_TCPD, CHILD_READY, &second)->layers = SB_SECCOMP |
	    SB_NNP;
	say_raw(far, IMSG_PROCESSES, 7, -1, NULL, 0);
	turn();
	while (hear_any(far, &m, 0) > 0 && m.type == IMSG_PROCESS &&
	    get_process(&m, &in) == 0) {
		if (in.role != ROLE_TCPD)
			continue;
		rows++;
		is_int(in.count, 2, "processes: how many");
		is_int(in.layers, SB_SECCOMP, "the layers that all have");
	}
	is_int(rows, 1, "one row of a role in a state");
	ok(m.type == IMSG_PROCESSES_END && m.id == 7, "that is all");
	close(far);
	close(first);
	close(second);
}

int
main(void)
{
	parent_begin();
	walk();
	words_of_authd();
	hangs();
	limits();
	processes();
#ifdef RELAYD_TESTING
	flood();
#endif
	parent_end();
	return (done_testing());
}
