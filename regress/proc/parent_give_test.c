/* SPDX-License-Identifier: ISC */
/*
 * What the parent does with GIVE: which connections become workers, or go to
 * one, and who waits for authd's word.
 */
#include <sys/socket.h>

#include <event2/event.h>

#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "regress/lib/parent_world.h"
#include "regress/lib/tap.h"

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
	say_made(far_other, con[1]);
	nonce = first;
	make(IMSG_ADMITTED, &(struct msg_admitted){ .nonce = nonce,
	    .class = CLASS_TERMINAL, .instance = termd->instance });
	say_made(authd_far, -1);
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
		say_made(far, con[i][1]);
		close(con[i][1]);
	}
	for (i = 0, nonce -= 150; i < 150; i++) {
		make(IMSG_ADMITTED, &(struct msg_admitted){ .nonce = ++nonce,
		    .class = CLASS_TERMINAL });
		say_made(authd_far, -1);
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

int
main(void)
{
	parent_begin();
	gives();
	without_word();
	word_within();
	burst();
	gives_bad();
	shares();
	without_authd();
	parent_end();
	return (done_testing());
}
