/* SPDX-License-Identifier: ISC */
/*
 * tunnel-client: the customer's side. It dials the support server, announces
 * services and the state of the machine, and opens connections and terminals
 * when an operator asks for them. Runs with the rights of who starts it,
 * usually root, since terminals do.
 *
 * One process, one loop: attempt (handshake.c), tunnel (tunnel.c), delay
 * (backoff.c), and again, until the server says that the session is over
 * (close 4000) or a signal comes. Streams: stream.c, gate.c, connect.c,
 * terminal.c, command.c. What we tell: announce.c, to the people here:
 * status.c.
 */
#include <sys/prctl.h>
#include <sys/resource.h>

#include <event2/event.h>
#include <cjson/cJSON.h>
#include <sodium.h>

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "announce.h"
#include "bridge.h"
#include "child.h"
#include "client.h"
#include "consent.h"
#include "gate.h"
#include "base/clock.h"
#include "base/compat.h"
#include "discover.h"
#include "handshake.h"
#include "install.h"
#include "base/log.h"
#include "machine.h"
#include "net/net.h"
#include "net/proxy.h"
#include "reason.h"
#include "shell.h"
#include "status.h"
#include "statussock.h"
#include "stream.h"
#include "survey.h"
#include "talk.h"
#include "terminal.h"
#include "ttyline.h"
#include "tunnel.h"
#include "net/url.h"
#include "users.h"
#include "watch.h"

extern char	**environ;

static void	attempt(void *);
static void	attempt_done(void *, const struct handshake_result *);
static void	attempt_failed(const char *, uint64_t);
static void	attempt_again(const char *, const char *, uint64_t);
static void	tunnel_ended(void *, enum tunnel_end, const char *);
static void	leave(void);
static void	on_signal(evutil_socket_t, short, void *);

static struct {
	struct options		 o;
	struct url		 url;
	struct proxy		 proxy;
	int			 proxied;
	char			 where[URL_MAX];	/* host:port */
	struct event_base	*base;
	struct handshake	*handshake;
	struct backoff		 backoff;
	struct timer		 delay;
	uint64_t		 began_ms;	/* the current attempt */
	char			 token[TOKEN_SIZE];
	char			 session[64];	/* of the last tunnel */
	int			 leaving;	/* this tunnel is the last */
	int			 signalled;	/* how often */
	int			 done;
} client;

/*
 * Started without them, our first sockets would be 0 to 2: log lines would go
 * into one, and a shell's or a plugin's descriptors would be mixed up.
 */
static void
standard_fds(void)
{
	int	fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd != -1 && fd <= STDERR_FILENO);
	if (fd == -1)
		_exit(1);
	close(fd);
}

/* What JSON is made of may be a password: it does not stay in the heap. */
static void
wipe_and_free(void *p)
{
	if (p != NULL)
		explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

/* Nobody reads our memory, and a crash leaves none of it behind. */
static void
harden(void)
{
	struct rlimit	core;

	/* The hard limit stays: shells in terminals inherit it. */
	if (getrlimit(RLIMIT_CORE, &core) == 0) {
		core.rlim_cur = 0;
		(void)setrlimit(RLIMIT_CORE, &core);
	}
#if defined(PR_SET_DUMPABLE) && !defined(RELAYD_SANITIZE)
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		log_warn("not dumpable");
#endif
}

/*
 * Over ws:// everyone on the way reads the secret, and can be this system from
 * then on. -1: it is not to be sent.
 */
static int
plain_check(void)
{
	if (client.url.tls || url_is_here(&client.url))
		return (0);
	if (client.o.allow_plain) {
		log_warnx("%s: key and secret are sent in clear",
		    client.url.host);
		return (0);
	}
	fprintf(stderr, "tunnel-client: --url: ws:// would send key and secret "
	    "to %s in clear.\nUse wss://, or --allow-plain where nobody can "
	    "listen (a VPN, a test).\n", client.url.host);
	return (-1);
}

/* Is there a proxy to be asked? -1 after a word on standard error. */
static int
proxy_choose(void)
{
	const char	*why;

	if (*client.o.proxy == '\0')
		return (0);
	if ((why = proxy_parse(&client.proxy, client.o.proxy)) != NULL) {
		fprintf(stderr, "tunnel-client: --proxy: %s\n", why);
		return (-1);
	}
	if (proxy_bypassed(client.o.no_proxy, client.url.host,
	    client.url.port))
		return (0);
	if (!client.url.tls)
		log_warnx("no proxy for ws://: it would read key and secret");
	client.proxied = client.url.tls;
	return (0);
}

static void
attempt(void *arg)
{
	(void)arg;
	status_connecting();
	client.began_ms = clock_ms();
	net_reload();
	client.handshake = handshake_start(&client.url, client.proxied ?
	    &client.proxy : NULL, client.o.node, client.token, client.o.key,
	    client.o.secret, announce_asked, attempt_done, NULL);
	if (client.handshake == NULL)
		attempt_failed("the request cannot be made", 0);
}

static void
attempt_done(void *arg, const struct handshake_result *r)
{
	struct sock	c = r->sock;
	int		same;

	(void)arg;
	client.handshake = NULL;
	if (c.fd == -1) {
		if (r->status == 403)
			client.token[0] = '\0';	/* perhaps it was the token */
		attempt_failed(r->why, r->retry_after_ms);
		return;
	}
	memcpy(client.token, r->token, sizeof(client.token));
	terminal_negotiated(r->terminal_status);
	bridges_negotiated(r->half_close);
	same = *r->session != '\0' && strcmp(client.session, r->session) == 0;
	strlcpy(client.session, r->session, sizeof(client.session));
	status_connected(r->session);
	log_info("connected to %s%s%s", client.where, r->session[0] == '\0' ?
	    "" : ", session ", r->session);
	if (tunnel_begin(&c, r->early, r->early_len, &streams_hear,
	    tunnel_ended, NULL) == -1) {
		attempt_failed("out of memory", 0);
		return;
	}
	/*
	 * The server adds again what operators have added; but without consent
	 * that is refused, and would be lost.
	 */
	if (consent_given() || !same)
		catalog_forget_added();
	announce_start(&client.o);
}

/* There was no tunnel: say to whom, why, and what can be done about it. */
static void
attempt_failed(const char *why, uint64_t retry_after_ms)
{
	const char	*hint = reason_hint(why, client.proxied);
	char		 what[REASON_SIZE + 512];

	snprintf(what, sizeof(what), "cannot connect to %s: %s%s%s",
	    client.where, why, *hint == '\0' ? "" : "; ", hint);
	attempt_again(what, "", backoff_next(&client.backoff,
	    clock_ms() - client.began_ms, retry_after_ms,
	    randombytes_random()));
}

static void
attempt_again(const char *what, const char *why, uint64_t ms)
{
	char	text[REASON_SIZE + 512];

	log_warnx("%s%s; next attempt in %llu.%llu s", what, why,
	    (unsigned long long)ms / 1000, (unsigned long long)ms % 1000 / 100);
	timer_set(&client.delay, ms);
	snprintf(text, sizeof(text), "%s%s", what, why);
	status_down(text, ms);
}

static void
tunnel_ended(void *arg, enum tunnel_end end, const char *why)
{
	uint64_t	lasted = clock_ms() - client.began_ms;
	char		what[URL_MAX + 32];

	(void)arg;
	announce_stop();
	if (end == TUNNEL_FINAL) {
		log_info("the session is over: %s", why);
		client.leaving = 1;
	}
	if (client.leaving)
		leave();
	else {
		snprintf(what, sizeof(what), "connection to %s lost: ",
		    client.where);
		attempt_again(what, why, end == TUNNEL_MOVED ?
		    backoff_moved(&client.backoff, lasted,
		    randombytes_random()) : backoff_next(&client.backoff,
		    lasted, 0, randombytes_random()));
	}
}

static void
left(void)
{
	client.done = 1;
}

/* There is no tunnel any more: what is left is what we have made here. */
static void
leave(void)
{
	client.leaving = 1;
	announce_stop();
	timer_del(&client.delay);
	if (client.handshake != NULL)
		handshake_cancel(client.handshake);
	client.handshake = NULL;
	if (users_leave(left) == 0)
		client.done = 1;
}

/* The first signal: leave in good order. The second: now. */
static void
on_signal(evutil_socket_t sig, short what, void *arg)
{
	(void)what;
	(void)arg;
	log_info("signal %d: leaving", (int)sig);
	if (client.signalled++ > 0)
		client.done = 1;
	else if (tunnel_exists()) {
		client.leaving = 1;
		status_leaving();
		announce_stop();
		tunnel_quit();
	} else
		leave();
}

#ifdef RELAYD_TESTING
/* SIGUSR1 moves the clock by as much as the test has said. */
static void
on_move(evutil_socket_t sig, short what, void *arg)
{
	const char	*ms = getenv("TUNNEL_CLIENT_MOVE_MS");

	(void)sig;
	(void)what;
	(void)arg;
	clock_move(ms == NULL ? 1000 : strtoull(ms, NULL, 10));
}
#endif

/* Whom the log names. */
static void
where_is(void)
{
	size_t	len;

	snprintf(client.where, sizeof(client.where), strchr(client.url.host,
	    ':') != NULL ? "[%s]:%u" : "%s:%u", client.url.host,
	    client.url.port);
	len = strlen(client.where);
	if (client.proxied)
		snprintf(client.where + len, sizeof(client.where) - len,
		    " through %s", client.proxy.at.authority);
}

/* A node of an NS8 cluster has its number in a file. */
static void
own_node(void)
{
	char	node[CLIENT_NODE_SIZE], *copy;

	if (*client.o.node != '\0' || strcmp(client.o.redis, "none") == 0 ||
	    ns8_own_node(node, sizeof(node)) == -1 ||
	    (copy = strdup(node)) == NULL)
		return;
	free(client.o.node);
	client.o.node = copy;
	log_info("node %s", node);
}

/* Whoever has changed services says so. */
static void
on_look(evutil_socket_t sig, short what, void *arg)
{
	(void)sig;
	(void)what;
	(void)arg;
	log_info("looking for services, as asked");
	announce_again();
}

static void
consent_changed(const char *why_not)
{
	if (why_not != NULL) {
		streams_withdraw(why_not);
		bridges_withdraw();
	}
	users_consent();
}

/* On OpenWrt, say, all below /var is in memory. */
static void
warn_of_memory(const char *option, const char *path)
{
	if (machine_forgets(path))
		log_warnx("--%s: %s is in memory: what it says is forgotten "
		    "when this machine starts anew", option, path);
}

static int
setup(void)
{
	const char	*why;

	if ((why = url_parse(&client.url, client.o.url)) != NULL) {
		fprintf(stderr, "tunnel-client: --url: %s\n", why);
		return (-1);
	}
	if (plain_check() == -1 || proxy_choose() == -1)
		return (-1);
	where_is();
	clock_complaints();
	if (sodium_init() == -1 || (client.base = event_base_new()) == NULL)
		fatalx("out of memory");
	clock_init(client.base);
	net_init(client.base, client.o.tls_insecure, client.o.ca_file);
	if (net_check(client.url.tls) == -1)
		return (-1);
	if (child_init(client.base) == -1)
		fatalx("out of memory");
	streams_init(gate_init(&client.o));
	if (consent_init(client.o.consent, client.o.consent_file,
	    consent_changed) == -1)
		return (-1);
	warn_of_memory("consent-file", client.o.consent_file);
	warn_of_memory("users-state-file", client.o.users_state);
	if (client.o.tls_insecure && client.url.tls)
		log_warnx("the server's certificate is not checked");
	timer_init(&client.delay, attempt, NULL);
	backoff_init(
	    &client.backoff, client.o.reconnect_ms, client.o.max_reconnect_ms);
	own_node();
	discover_init(&client.o);
	if (!client.o.check && users_start(&client.o) == 1)
		discover_now(users_discovered);
	return (0);
}

static void
run(void)
{
	struct event	*sig[4] = { NULL };
	size_t		 i;

	sig[0] = evsignal_new(client.base, SIGINT, on_signal, NULL);
	sig[1] = evsignal_new(client.base, SIGTERM, on_signal, NULL);
	sig[3] = evsignal_new(client.base, SIGUSR2, on_look, NULL);
#ifdef RELAYD_TESTING
	sig[2] = evsignal_new(client.base, SIGUSR1, on_move, NULL);
#endif
	for (i = 0; i < 4; i++)
		if (sig[i] != NULL)
			event_add(sig[i], NULL);
	status_init(client.where);
	statussock_open(client.base, client.o.status_socket,
	    client.o.status_group);
	ttyline_start();
	watch_start(announce_again);
	attempt(NULL);
	announce_early();
	while (!client.done) {
		event_base_loop(client.base, EVLOOP_ONCE);
		tunnel_turn_end();
		ttyline_turn();
	}
	watch_stop();
	ttyline_stop();
	statussock_close();
	if (client.handshake != NULL)
		handshake_cancel(client.handshake);
	timer_del(&client.delay);
	for (i = 0; i < 4; i++)
		if (sig[i] != NULL)
			event_free(sig[i]);
}

/* Be the client. */
static int
serve(void)
{
	if (setup() == -1)
		return (EXIT_WRONG);
	if (client.o.check && client.o.words[0] == NULL)
		printf("tunnel-client: this would start\n");
	else if (!client.o.check)
		run();
	users_clear();
	discover_stop();
	consent_clear();
	child_end_all();
	net_clear();
	child_clear();
	clock_clear();
	event_base_free(client.base);
	return (0);
}

/* What stands behind the flags: an order to the client that runs, or to us. */
static int
obey(const char *word)
{
	int	r;

	if (strcmp(word, "uninstall") == 0)
		return (uninstall());
	if (strcmp(word, "install") != 0)
		return (talk(&client.o));
	client.o.check = 1;	/* nothing is installed that would not start */
	if ((r = serve()) != 0)
		return (r);
	return (install(&client.o));
}

int
main(int argc, char **argv)
{
	int	r;

	standard_fds();
	log_init("tunnel-client", -1, 0);
	signal(SIGPIPE, SIG_IGN);
	cJSON_InitHooks(&(cJSON_Hooks){ malloc, wipe_and_free });
	shell_remember(environ);
	discover_remember(environ);
	r = options_read(&client.o, argc, argv, environ);
	harden();
	log_verbose(client.o.verbose);
	if (r == 0)
		r = client.o.words[0] != NULL ? obey(client.o.words[0]) : serve();
	else	/* help was printed; or what is wrong */
		r = r == 1 ? EXIT_DONE : r == OPTIONS_USAGE ? EXIT_USAGE :
		    EXIT_WRONG;
	announce_clear();
	catalog_clear();
	shell_forget();
	sodium_memzero(client.token, sizeof(client.token));
	sodium_memzero(&client.proxy, sizeof(client.proxy));
	options_clear(&client.o);
	return (r);
}
