/* SPDX-License-Identifier: ISC */
/*
 * The parent's half of every channel: the walk over its dispatch table, what it
 * does with GIVE, BOUND and OFFENCE, and its limits. Children are played here.
 */
#include <sys/socket.h>

#include <event2/event.h>

#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "relayd/relayd.h"
#include "regress/lib/drive.h"
#include "regress/lib/tap.h"
#include "regress/lib/walk.h"

static struct env	 test_env;
static char		 killed[256];	/* why kill_child() was called */
static int		 spawned;	/* how often */
static int		 spawn_fails;
static int		 far_fd = -1;	/* the spawned child's own end */

/* What the parent's other files would do. */

struct env *
env(void)
{
	return (&test_env);
}

void
supervise_ready(struct child *c)
{
	child_set_state(c, CHILD_READY);
}

int
supervise_is_well(void)
{
	return (1);
}

void
supervise_serving(void)
{
}

void
kill_hung(struct child *c, const char *reason)
{
	kill_child(c, reason);
}

void
kill_child(struct child *c, const char *reason)
{
	snprintf(killed, sizeof(killed), "%s", reason);
	chan_free(c->chan);
	c->chan = NULL;
}

unsigned
supervise_restarts(const struct child *c)
{
	(void)c;
	return (0);
}

int
admin_on_ctl(struct chan *chan, struct imsg *m)
{
	(void)chan;
	(void)m;
	return (0);
}

int
admin_on_request(struct chan *chan, struct imsg *m)
{
	(void)chan;
	(void)m;
	return (0);
}

static void
no_deadline(void *arg)
{
	(void)arg;
}

/* A child with a channel whose far end is a plain socket, *far. */
static struct child *
child_make(int role, enum child_state state, int *far)
{
	struct child	*c = child_new(role, NULL, 0);
	int		 sv[2];

	if (c == NULL || imsg_pair(sv) == -1)
		bail_out("no child");
	c->chan = chan_new(test_env.base, sv[0], role, parent_table,
	    parent_rows, parent_channel_closed, c);
	chan_set_instance(c->chan, c->instance);
	timer_init(&c->deadline, no_deadline, c);
	child_set_state(c, state);
	*far = sv[1];
	return (c);
}

struct child *
spawn_child(int role, struct slot *slot, uint64_t nonce)
{
	(void)slot;
	(void)nonce;
	spawned++;
	return (spawn_fails ? NULL :
	    child_make(role, CHILD_STARTING, &far_fd));
}

/* The message that is said next. */
static struct {
	uint32_t	type;
	uint8_t		buf[IMSG_MAX];
	size_t		len;
} msg;

static void
make(uint32_t type, const void *m)
{
	msg.type = type;
	msg.len = (size_t)msg_put(type, m, msg.buf, sizeof(msg.buf));
}

/* Let the parent read what the child said. */
static void
turn(void)
{
	int	i;

	for (i = 0; i < 4; i++)
		event_base_loop(test_env.base, EVLOOP_NONBLOCK);
}

static void
child_says(int far, int fd)
{
	killed[0] = '\0';
	say_raw(far, msg.type, 0, fd == -1 ? -1 : dup(fd), msg.buf, msg.len);
	turn();
}

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

static struct child *
newest(int role)
{
	struct child	*c, *found = NULL;

	for (c = child_after(0); c != NULL; c = child_after(c->instance))
		if (c->role == role)
			found = c;
	return (found);
}

/* GIVE, under a nonce that authd has said */

static struct child	*authd;
static int		 authd_far;
static uint64_t		 nonce = 4711;

static void
admit(uint8_t class, uint64_t instance)
{
	make(IMSG_ADMITTED, &(struct msg_admitted){ .nonce = ++nonce,
	    .class = class, .instance = instance });
	child_says(authd_far, -1);
}

static void
give(uint8_t class, uint64_t instance, const char *bytes)
{
	make(IMSG_GIVE, &(struct msg_give){ .class = class, .nonce = nonce,
	    .instance = instance, .addr = "192.0.2.1", .accept = "accept",
	    .bytes = { (const uint8_t *)bytes, strlen(bytes) },
	    .request = "request-1" });
}

/* The connection that is given: our end, and the one that travels. */
static void
connection(int sv[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sv) == -1)
		bail_out("socketpair");
}

static void
refused(int fd, const char *what)
{
	char	buf[1024], *body;
	ssize_t	n;

	n = read(fd, buf, sizeof(buf) - 1);
	buf[n > 0 ? n : 0] = '\0';
	ok(strncmp(buf, "HTTP/1.1 503 ", 13) == 0, "%s: 503", what);
	ok(strstr(buf, "\r\nRetry-After: ") != NULL, "%s: says when", what);
	body = strstr(buf, "\r\n\r\n");
	ok(body != NULL && strstr(buf, "Content-Length: ") != NULL &&
	    (size_t)atoi(strstr(buf, "Content-Length: ") + 16) ==
	    strlen(body + 4), "%s: with the right length", what);
	is_int(read(fd, buf, 1), 0, "%s: and it is closed", what);
}

/* What the worker gets, or -1. */
static int
forwarded(int far, const char *bytes)
{
	struct msg_give	in;
	struct imsg	m;

	if (hear_any(far, &m, 0) <= 0 || get_give(&m, &in) == -1 ||
	    m.fd == -1 || in.nonce != nonce || in.bytes.len != strlen(bytes) ||
	    memcmp(in.bytes.p, bytes, in.bytes.len) != 0 ||
	    strcmp(in.addr, "192.0.2.1") != 0 ||
	    strcmp(in.accept, "accept") != 0 ||
	    strcmp(in.request, "request-1") != 0)
		return (-1);
	close(m.fd);
	return (0);
}

/* One that authd has admitted as it is given. Our end of the connection. */
static int
give_new(int far, uint8_t class, uint64_t instance, const char *bytes)
{
	int	con[2];

	connection(con);
	admit(class, instance);
	give(class, instance, bytes);
	child_says(far, con[1]);
	close(con[1]);
	return (con[0]);
}

static void
gives(void)
{
	struct child	*proxyd;
	int		 far, con, worker;
	uint64_t	 instance;

	proxyd = child_make(ROLE_PROXYD, CHILD_READY, &far);
	authd = child_make(ROLE_AUTHD, CHILD_READY, &authd_far);
	con = give_new(far, CLASS_TUNNEL, 0, "GET / HTTP/1.1\r\n");
	is_int(spawned, 1, "a muxd is started");
	is_int(forwarded(far_fd, "GET / HTTP/1.1\r\n"), 0,
	    "and gets connection and bytes as they came");
	is_int(child_startups(), 1, "it counts as not logged in");
	worker = far_fd;
	close(con);

	/* It has not logged in: the next one is one too many. */
	con = give_new(far, CLASS_TUNNEL, 0, "x");
	refused(con, "max startups");
	close(con);
	is_int(spawned, 1, "nobody else was started");

	/* A terminal does not wait for logins. */
	con = give_new(far, CLASS_TERMINAL, 0, "x");
	is_int(spawned, 2, "a termd is started");
	instance = newest(ROLE_TERMD)->instance;
	(void)forwarded(far_fd, "x");
	close(con);

	/* A second connection for that terminal. */
	con = give_new(far, CLASS_TERMINAL, instance, "again");
	is_int(forwarded(far_fd, "again"), 0, "to a worker that lives");
	close(con);

	con = give_new(far, CLASS_TERMINAL, 0, "x");
	refused(con, "too many terminals");
	close(con);
	is_int(spawned, 2, "nobody else was started");

	child_free(child_find(instance));
	spawn_fails = 1;
	con = give_new(far, CLASS_TERMINAL, 0, "x");
	refused(con, "when nothing can be started");
	close(con);
	spawn_fails = 0;

	con = give_new(far, CLASS_TERMINAL, instance, "late");
	refused(con, "to a worker that has ended");
	close(con);
	is_str(killed, "", "which is nobody's fault");
	child_free(proxyd);
	close(far);
	close(worker);
}

#define WAITING	(GIVES_EARLY + 4)

/* A broken proxyd gives what nobody has admitted. */
static void
without_word(void)
{
	struct child	*proxyd, *termd;
	int		 far, far_termd, con[WAITING][2], i, n = spawned, full = 0;
	struct imsg	 m;

	proxyd = child_make(ROLE_PROXYD, CHILD_READY, &far);
	termd = child_make(ROLE_TERMD, CHILD_READY, &far_termd);
	for (i = 0; i < WAITING; i++) {
		connection(con[i]);
		nonce++;
		give(CLASS_TERMINAL, i == 0 ? termd->instance : 0, "x");
		child_says(far, con[i][1]);
		close(con[i][1]);
	}
	is_int(spawned, n, "GIVEs without authd's word start nobody");
	is_int(hear_any(far_termd, &m, 0), 0,
	    "and a worker that lives hears nothing of them");
	for (i = 0; i < WAITING; i++)
		full += read(con[i][0], &m, 1) == 1;
	is_int(full, 4, "%d wait for it, more are refused", GIVES_EARLY);

	/* The word comes. */
	nonce -= WAITING;
	admit(CLASS_TERMINAL, termd->instance);
	ok(forwarded(far_termd, "x") == 0, "one that waited for it goes");
	child_free(termd);
	admit(CLASS_TERMINAL, 0);
	is_int(spawned, n + 1, "the next one to a new worker");
	child_free(newest(ROLE_TERMD));
	nonce += WAITING;
#ifdef RELAYD_TESTING
	clock_move(2001);
	turn();
	for (i = 2, full = 0; i < GIVES_EARLY; i++)
		full += read(con[i][0], &m, 1) == 1;
	is_int(full, GIVES_EARLY - 2, "the others are refused after 2 s");
#endif
	for (i = 0; i < WAITING; i++)
		close(con[i][0]);
	child_free(proxyd);
	close(far);
	close(far_termd);
}

/* The word on one that waits is read while another's message is being. */
static void
word_within(void)
{
	static char	 head[GIVE_BYTES_MAX];
	struct child	*one, *other, *termd;
	int		 far, far_other, far_termd, con[2], was = spawned;
	uint64_t	 first;

	one = child_make(ROLE_PROXYD, CHILD_READY, &far);
	other = child_make(ROLE_PROXYD, CHILD_READY, &far_other);
	termd = child_make(ROLE_TERMD, CHILD_READY, &far_termd);
	connection(con);
	first = ++nonce;
	give(CLASS_TERMINAL, termd->instance, "mine");
	child_says(far, con[1]);

	nonce++;
	memset(head, 'S', sizeof(head) - 1);
	give(CLASS_TERMINAL, 0, head);
	say_raw(far_other, msg.type, 0, dup(con[1]), msg.buf, msg.len);
	nonce = first;
	make(IMSG_ADMITTED, &(struct msg_admitted){ .nonce = nonce,
	    .class = CLASS_TERMINAL, .instance = termd->instance });
	say_raw(authd_far, msg.type, 0, -1, msg.buf, msg.len);
	turn();
	is_int(forwarded(far_termd, "mine"), 0,
	    "what is given has nothing of what another gives");
	is_int(spawned, was, "which waits");
	nonce = first + 1;
	close(con[0]);
	close(con[1]);
	child_free(one);
	child_free(other);
	child_free(termd);
	close(far);
	close(far_other);
	close(far_termd);
}

/* Many at once: the words are there, whichever channel is read first. */
static void
burst(void)
{
	struct child	*proxyd;
	uint64_t	 was = test_env.conf.startups_full;
	int		 far, con[150][2], i, n = spawned, full = 0;
	char		 c;

	test_env.conf.startups_full = 1000;
	proxyd = child_make(ROLE_PROXYD, CHILD_READY, &far);
	for (i = 0; i < 150; i++) {
		connection(con[i]);
		nonce++;
		give(CLASS_TERMINAL, 0, "x");
		say_raw(far, msg.type, 0, dup(con[i][1]), msg.buf, msg.len);
		close(con[i][1]);
	}
	for (i = 0, nonce -= 150; i < 150; i++) {
		make(IMSG_ADMITTED, &(struct msg_admitted){ .nonce = ++nonce,
		    .class = CLASS_TERMINAL });
		say_raw(authd_far, msg.type, 0, -1, msg.buf, msg.len);
	}
	for (i = 0; i < 4; i++)
		turn();
	for (i = 0; i < 150; i++) {
		full += read(con[i][0], &c, 1) == 1;
		close(con[i][0]);
	}
	is_int(full, 0, "150 at once: none is refused");
	is_int(spawned - n, 150, "each has its worker");
	while (newest(ROLE_TERMD) != NULL)
		child_free(newest(ROLE_TERMD));
	test_env.conf.startups_full = was;
	child_free(proxyd);
	close(far);
}

/* What may not be: it ends the proxyd. */
static void
gives_bad(void)
{
	static const struct {
		uint8_t		 said, class;
		uint64_t	 to, instance;
		int		 state, zero;
		const char	*what;
	} v[] = {
		{ CLASS_TUNNEL, CLASS_TUNNEL, 0, 3, CHILD_READY, 0,
		    "to another instance than authd has said" },
		{ CLASS_TUNNEL, CLASS_TERMINAL, 0, 0, CHILD_READY, 0,
		    "of another class than authd has said" },
		{ CLASS_TUNNEL, 77, 0, 0, CHILD_READY, 0,
		    "of a class that is none" },
		{ CLASS_TUNNEL, CLASS_TUNNEL, 0, 0, CHILD_STARTING, 0,
		    "before it is ready" },
		{ CLASS_TUNNEL, CLASS_TUNNEL, 0, 0, CHILD_READY, 1,
		    "under no nonce" },
	};
	struct child	*proxyd;
	int		 far, con[2], n = spawned;
	uint64_t	 keep;
	size_t		 i;

	for (i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		proxyd = child_make(ROLE_PROXYD, CHILD_READY, &far);
		child_set_state(proxyd, (enum child_state)v[i].state);
		connection(con);
		admit(v[i].said, v[i].to);
		keep = nonce;
		nonce = v[i].zero ? 0 : nonce;
		give(v[i].class, v[i].instance, "x");
		child_says(far, con[1]);
		nonce = keep;
		ok(killed[0] != '\0', "%s: %s", v[i].what, killed);
		child_free(proxyd);
		close(far);
		close(con[0]);
		close(con[1]);
	}
	is_int(spawned, n, "nobody was started for that");
}

/* One proxyd's connections that do not log in take places of its own only. */
static void
shares(void)
{
	struct child	*p[2];
	int		 far[2], con, i, n = spawned;

	test_env.conf.startups_begin = test_env.conf.startups_full = 8;
	for (i = 0; i < 2; i++)
		p[i] = child_make(ROLE_PROXYD, CHILD_READY, &far[i]);
	for (i = 0; i < 6; i++)
		close(give_new(far[0], CLASS_TUNNEL, 0, "x"));
	is_int(spawned - n, 4, "a proxyd has its share of max startups");
	con = give_new(far[1], CLASS_TUNNEL, 0, "x");
	is_int(spawned - n, 5, "and another one still has its own");
	close(con);
	child_set_bound(newest(ROLE_MUXD), &(struct msg_bound){
	    .system = "NETH-1", .session = "", .addr = "" });
	is_int(child_given(p[1]->instance), 0, "who logs in gives it back");
	is_int(child_given(p[0]->instance), 4, "only his");
	for (i = 0; i < 5; i++)
		child_free(newest(ROLE_MUXD));
	is_int(child_given(p[0]->instance), 0, "who ends does, too");
	for (i = 0; i < 2; i++) {
		child_free(p[i]);
		close(far[i]);
	}
	test_env.conf.startups_begin = test_env.conf.startups_full = 1;
}

static void
without_authd(void)
{
	struct child	*proxyd;
	int		 far, con[2];

	proxyd = child_make(ROLE_PROXYD, CHILD_READY, &far);
	admit(CLASS_TUNNEL, 0);
	child_free(authd);
	close(authd_far);
	connection(con);
	give(CLASS_TUNNEL, 0, "x");
	child_says(far, con[1]);
	close(con[1]);
	refused(con[0], "without authd");
	close(con[0]);
	child_free(proxyd);
	close(far);
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

	a = child_make(ROLE_AUTHD, CHILD_READY, &far);
	muxd = newest(ROLE_MUXD);
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
	child_free(muxd);
	offence(1);
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
	struct child	*c;

	log_init("test", -1, 0);
	conf_init(&test_env.conf);
	test_env.conf.startups_begin = test_env.conf.startups_full = 1;
	if ((test_env.base = event_base_new()) == NULL)
		bail_out("event loop");
	clock_init(test_env.base);
	walk();
	gives();
	without_word();
	word_within();
	burst();
	gives_bad();
	shares();
	without_authd();
	words_of_authd();
	hangs();
	limits();
	processes();
#ifdef RELAYD_TESTING
	flood();
#endif
	while ((c = child_after(0)) != NULL)
		child_free(c);
	give_clear();
	clock_clear();
	event_base_free(test_env.base);
	if (far_fd != -1)
		close(far_fd);
	return (done_testing());
}
