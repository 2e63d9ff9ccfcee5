/* SPDX-License-Identifier: ISC */
/*
 * relay: the operator's tool. It runs as an operator, on the operator's
 * machine, with the operator's token, and speaks to relayd's API; relayctl is
 * the other one, which runs next to relayd.
 *
 * Its commands are in `commands`, and in peer.c those of relay sessions.
 */
#include <event2/event.h>

#include <sodium.h>

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "base/secretfile.h"
#include "base/target.h"
#include "base/uuid.h"
#include "completion.h"
#include "conn.h"
#include "list.h"
#include "listen.h"
#include "net/net.h"
#include "peer.h"
#include "relay.h"
#include "remote.h"
#include "usage.h"

enum command { C_NONE, C_SESSIONS, C_SERVICES, C_TERMINAL, C_CONNECT };
static const struct {
	const char	*name;
	int		 words;		/* behind the options */
	const char	*synopsis;	/* usage.h; [options] are in `longer` */
} commands[] = {
	[C_SESSIONS] = { "sessions", 0, "[options]" },
	[C_SERVICES] = { "services", 1, "[options] SESSION" },
	[C_TERMINAL] = { "terminal", 1, "[options] [--escape CHAR] SESSION" },
	[C_CONNECT] = { "connect", 2,
	    "[options] [--listen WHERE] SESSION SERVICE" },
};
static const char *const	shells[] = { "bash", "fish", "zsh" };
#define NSHELLS	(sizeof(shells) / sizeof(shells[0]))

#define COMPLETE_S	2	/* nobody waits longer for a list of words */

static enum command	command_of(const char *);

static struct {
	const char	*url, *token_file, *ca_file, *listen;
	const char	*proxy, *no_proxy;
	struct escape	 escape;
	int		 allow_plain;
	enum command	 command;
} opts = { .ca_file = "", .escape.ch = ESCAPE_CHAR };

enum { O_URL = 256, O_TOKEN, O_CA, O_LISTEN, O_ESCAPE, O_PLAIN,
    O_PROXY, O_NO_PROXY, O_HELP, O_VERSION };

static const struct option	longer[] = {
	{ "url", required_argument, NULL, O_URL },
	{ "token-file", required_argument, NULL, O_TOKEN },
	{ "ca-file", required_argument, NULL, O_CA },
	{ "listen", required_argument, NULL, O_LISTEN },
	{ "escape", required_argument, NULL, O_ESCAPE },
	{ "allow-plain", no_argument, NULL, O_PLAIN },
	{ "proxy", required_argument, NULL, O_PROXY },
	{ "no-proxy", required_argument, NULL, O_NO_PROXY },
	{ "help", no_argument, NULL, O_HELP },
	{ "version", no_argument, NULL, O_VERSION },
	{ NULL, 0, NULL, 0 }
};

static void
usage(FILE *f)
{
	enum command	c;

	for (c = C_SESSIONS; c <= C_CONNECT; c++)
		usage_line(f, c == C_SESSIONS, commands[c].name,
		    commands[c].synopsis);
	peer_usage(f);
	usage_line(f, 0, "completion", "bash | zsh | fish");
	usage_line(f, 0, "--help", "| --version");
	if (f == stderr)
		return;
	fprintf(f, "\n"
	    "sessions and services list what there is. terminal is a shell "
	    "on the machine of a\nsession, here. connect is a connection to a "
	    "service there: standard input and\noutput, or with --listen each "
	    "connection to a local socket. SESSION is an id or a\nbeginning of "
	    "one, or the name or key of a system that has one session.\n\n"
	    "The others are about relay sessions, in which two meet who are no "
	    "operators.\n\n"
	    "  --url URL          of relayd; RELAY_URL\n"
	    "  --token-file FILE  has the operator's token; RELAY_TOKEN_FILE, "
	    "or the token\n                     itself in RELAYD_TOKEN\n"
	    "  --ca-file FILE     authorities to trust in place of the "
	    "system's; RELAY_CA_FILE\n"
	    "  --allow-plain      http:// to another machine\n"
	    "  --proxy URL        a forward proxy, http://[user:password@]host"
	    ":port; HTTPS_PROXY\n"
	    "  --no-proxy LIST    servers that need none; NO_PROXY\n"
	    "  --escape CHAR      CHAR and a dot, at the begin of a line, "
	    "leaves a terminal:\n                     ~, or none\n"
	    "  --listen WHERE     a socket's path, for you alone; or "
	    "[ADDRESS:]PORT, for all\n                     who reach it: on "
	    "127.0.0.1 everybody on this machine\n\n"
	    "of relay sessions, whose --url is also SWSRS_URL or "
	    "SWSRS_ADMIN_URL:\n");
	peer_help(f);
	fprintf(f, "\n"
	    "  relay terminal SESSION\n"
	    "  ssh -o ProxyCommand='relay connect SESSION ssh' customer\n");
}

/* Of the command that is said; what is wrong with it is. */
static int
usage_own(void)
{
	if (relay.quiet)
		return (-1);
	usage_line(stderr, 1, commands[opts.command].name,
	    commands[opts.command].synopsis);
	fprintf(stderr, "relay --help explains the options\n");
	return (-1);
}

/* http:// and https:// as people copy them. NULL or what is wrong. */
static const char *
take_url(const char *s)
{
	char		 ws[URL_MAX];
	const char	*why;
	size_t		 len;

	if (strncasecmp(s, "http://", 7) == 0) {
		if (strlcpy(ws, "ws://", sizeof(ws)) + strlcpy(ws + 5, s + 7,
		    sizeof(ws) - 5) >= sizeof(ws))
			return ("too long");
		s = ws;
	}
	else if (strstr(s, "://") == NULL || (strncasecmp(s, "https", 5) != 0 &&
	    strncasecmp(s, "ws", 2) != 0))
		return ("https:// expected, or http:// on this machine");
	if ((why = url_parse(&relay.url, s)) != NULL)
		return (why);
	if (relay.url.query[0] != '\0')
		return ("has a query");
	if (!relay.url.tls && !opts.allow_plain && !url_is_here(&relay.url))
		return ("without TLS everybody on the way reads the token: "
		    "https://, or --allow-plain");
	for (len = strlen(relay.url.path); len > 0 &&
	    relay.url.path[len - 1] == '/'; len--)
		relay.url.path[len - 1] = '\0';
	return (NULL);
}

/* A variable that is empty counts as one that is not set. */
static const char *
from_env(const char *name, const char *without)
{
	const char	*value = getenv(name);

	return (value == NULL || *value == '\0' ? without : value);
}

static int
proxy_take(struct proxy *x, const char *value, const char *name)
{
	const char	*why = proxy_parse(x, value);

	if (why == NULL) {
		relay.proxy = x;
		return (0);
	}
	say("%s: %s", name, why);
	return (-1);
}

/* That of a variable, if it is one to speak to: others read them, too. */
static int
take_proxy(void)
{
	static const char *const	names[] = { "HTTPS_PROXY",
	    "https_proxy", "ALL_PROXY", "all_proxy" };
	static struct proxy		proxy;
	const char			*value;
	size_t				i;

	if (opts.proxy != NULL && *opts.proxy != '\0' &&
	    proxy_take(&proxy, opts.proxy, "--proxy") == -1)
		return (-1);
	for (i = 0; opts.proxy == NULL && relay.proxy == NULL &&
	    i < sizeof(names) / sizeof(names[0]); i++)
		if ((value = from_env(names[i], NULL)) != NULL &&
		    proxy_take(&proxy, value, names[i]) == -1)
			say("%s is ignored", names[i]);
	if (relay.proxy != NULL && proxy_bypassed(opts.no_proxy,
	    relay.url.host, relay.url.port))
		relay.proxy = NULL;
	if (relay.proxy != NULL && !relay.url.tls) {
		say("no proxy for http://: it would read the token");
		relay.proxy = NULL;
	}
	return (0);
}

/* From a file, else the environment, where it does not stay. */
static int
take_token(void)
{
	const char	*why = NULL;
	char		*env = getenv("RELAYD_TOKEN");

	if (opts.token_file != NULL) {
		relay.token = secret_file_read(opts.token_file, &why);
		if (relay.token == NULL)
			say("%s: %s", opts.token_file, why);
	} else if (env != NULL && *env != '\0') {
		relay.token = strdup(env);
		explicit_bzero(env, strlen(env));
		unsetenv("RELAYD_TOKEN");
	} else
		say("no token: --token-file FILE, or RELAY_TOKEN_FILE");
	if (relay.token == NULL)
		return (-1);
	if (relay.token[strspn(relay.token, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789-_.=")] == '\0')
		return (0);
	say("this is no token");
	return (-1);
}

static int
take_words(int argc, char **argv)
{
	int	wanted = commands[opts.command].words;

	if (argc > wanted)
		say("%s: a word too many", argv[wanted]);
	else if (argc < wanted)
		say("%s is missing", argc == 0 ? "the session" : "the service");
	else if (opts.listen != NULL && opts.command != C_CONNECT)
		say("--listen is an option of connect");
	if (argc != wanted ||
	    (opts.listen != NULL && opts.command != C_CONNECT))
		return (usage_own());
	relay.session = argc > 0 ? argv[0] : "";
	relay.service = argc > 1 ? argv[1] : NULL;
	if (argc > 1 && !target_service_ok(argv[1], strlen(argv[1]))) {
		say("%s: not the name of a service", argv[1]);
		return (-1);
	}
	return (0);
}

/* What is wrong is said. */
static int
take_options(int argc, char **argv)
{
	int	ch;

	opts.url = from_env("RELAY_URL", NULL);
	opts.token_file = from_env("RELAY_TOKEN_FILE", NULL);
	opts.ca_file = from_env("RELAY_CA_FILE", opts.ca_file);
	opts.no_proxy = from_env("NO_PROXY", from_env("no_proxy", ""));
	while ((ch = getopt_long(argc, argv, "", longer, NULL)) != -1)
		switch (ch) {
		case O_URL:
			opts.url = optarg;
			break;
		case O_TOKEN:
			opts.token_file = optarg;
			break;
		case O_CA:
			opts.ca_file = optarg;
			break;
		case O_LISTEN:
			opts.listen = optarg;
			break;
		case O_ESCAPE:
			if (escape_parse(&opts.escape, optarg) == -1) {
				say("--escape %s: a character, ^ and one, or "
				    "none", optarg);
				return (-1);
			}
			break;
		case O_PROXY:
			opts.proxy = optarg;
			break;
		case O_NO_PROXY:
			opts.no_proxy = optarg;
			break;
		case O_PLAIN:
			opts.allow_plain = 1;
			break;
		case O_HELP:
			usage(stdout);
			exit(EXIT_DONE);
		default:
			return (usage_own());
		}
	return (0);
}

static int
take_place(void)
{
	const char	*why;

	if (opts.url == NULL) {
		say("no address of relayd: --url URL, or RELAY_URL");
		return (-1);
	}
	if ((why = take_url(opts.url)) != NULL) {
		say("%s: %s", opts.url, why);
		return (-1);
	}
	return (take_proxy() == -1 ? -1 : take_token());
}

static void
ended(void *arg, enum ended how, const char *why)
{
	(void)arg;
	if (*why != '\0')
		say("%s: %s", relay.service, why);
	tool_end(how == ENDED_WELL ? EXIT_DONE : how == ENDED_UNREACHED ?
	    EXIT_UNREACHED : EXIT_REFUSED);
}

/* Standard input may be a file, which epoll(7) does not take. */
static struct event_base *
base_new(void)
{
	struct event_config	*cf = event_config_new();
	struct event_base	*base = NULL;

	if (cf != NULL && event_config_avoid_method(cf, "epoll") == 0)
		base = event_base_new_with_config(cf);
	if (cf != NULL)
		event_config_free(cf);
	return (base);
}

/* Once it is known which session is meant. */
static int
begin(void)
{
	switch (opts.command) {
	case C_SESSIONS:
		return (list_sessions());
	case C_SERVICES:
		return (list_services());
	case C_TERMINAL:
		return (remote_start(&opts.escape));
	default:
		if (opts.listen != NULL)
			return (listen_start(opts.listen));
		return (conn_start(STDIN_FILENO, STDOUT_FILENO, ended, NULL) ==
		    NULL ? -1 : 0);
	}
}

static int
failed(int status)
{
	return (opts.command == C_TERMINAL ? REMOTE_FAILED : status);
}

static void
found(enum ended how, const char *id, const char *why)
{
	static char	session[SESSION_SIZE];

	if (how != ENDED_WELL) {
		say("%s", why);
		tool_end(failed(how == ENDED_UNREACHED ? EXIT_UNREACHED :
		    EXIT_REFUSED));
		return;
	}
	strlcpy(session, id, sizeof(session));
	relay.session = session;
	if (begin() == -1)
		tool_end(failed(EXIT_USAGE));
}

static int
run(void)
{
	if (sodium_init() == -1 || (relay.base = base_new()) == NULL) {
		say("out of memory");
		return (EXIT_UNREACHED);
	}
	clock_init_any(relay.base);
	net_init(relay.base, 0, opts.ca_file);
	if (net_check(0) == -1)
		return (EXIT_USAGE);
	net_reload();
	if (opts.command == C_SESSIONS ||
	    uuid_is(relay.session, strlen(relay.session)) ?
	    begin() == -1 : list_find(relay.session, found) == -1)
		return (EXIT_USAGE);
	event_base_dispatch(relay.base);
	net_clear();
	clock_clear();
	event_base_free(relay.base);
	freezero(relay.token, strlen(relay.token));
	return (relay.status);
}

/*
 * completion words ...: what may stand where the last one is being typed, for
 * shells. The server is asked, for a moment, and not a word said if it is not
 * there.
 */
static int
complete(int argc, char **argv)
{
	const char		*typed = argv[argc - 1];
	const struct option	*o;
	size_t			 i, len = strlen(typed);
	enum command		 c;
	int			 n;

	relay.quiet = 1;
	opterr = 0;
	for (c = C_SESSIONS; argc == 1 && c <= C_CONNECT; c++)
		if (strncmp(commands[c].name, typed, len) == 0)
			printf("%s\n", commands[c].name);
	if (argc == 1) {
		peer_complete_word(typed);
		if (strncmp("completion", typed, len) == 0)
			printf("completion\n");
		return (EXIT_DONE);
	}
	if (strcmp(argv[0], "completion") == 0)
		for (i = 0; argc == 2 && i < NSHELLS; i++)
			if (strncmp(shells[i], typed, len) == 0)
				printf("%s\n", shells[i]);
	if (peer_is_word(argv[0])) {
		peer_complete(argc, argv);
		return (EXIT_DONE);
	}
	if ( (opts.command = command_of(argv[0])) == C_NONE)
		return (EXIT_DONE);
	for (o = longer; o->name != NULL; o++) {
		if (strncmp(argv[argc - 2], "--", 2) == 0 &&
		    strcmp(argv[argc - 2] + 2, o->name) == 0 && o->has_arg)
			return (EXIT_DONE);
		if (strncmp(typed, "--", len > 2 ? 2 : len) == 0 && len > 0 &&
		    strncmp(o->name, typed + (len > 2 ? 2 : len), len > 2 ?
		    len - 2 : 0) == 0)
			printf("--%s\n", o->name);
	}
	if (typed[0] == '-' || take_options(argc - 1, argv) == -1 ||
	    take_place() == -1)
		return (EXIT_DONE);
	n = argc - 1 - optind;
	if (n >= commands[opts.command].words)
		return (EXIT_DONE);
	relay.session = n == 0 ? "" : argv[optind];
	opts.command = n == 0 ? C_SESSIONS : C_SERVICES;
	list_only(typed);
	(void)alarm(COMPLETE_S);
	(void)run();
	return (EXIT_DONE);
}

static enum command
command_of(const char *word)
{
	enum command	c;

	for (c = C_SESSIONS; c <= C_CONNECT; c++)
		if (strcmp(commands[c].name, word) == 0)
			return (c);
	return (C_NONE);
}

int
main(int argc, char **argv)
{
	const char	*script;
	int		 status;

	log_init("relay", -1, 0);
	signal(SIGPIPE, SIG_IGN);
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		printf("relay " RELAYD_VERSION "\n");
		return (EXIT_DONE);
	}
	if (argc == 2 && (strcmp(argv[1], "--help") == 0 ||
	    strcmp(argv[1], "help") == 0)) {
		usage(stdout);
		return (EXIT_DONE);
	}
	if (argc > 3 && strcmp(argv[1], "completion") == 0 &&
	    strcmp(argv[2], "words") == 0)
		return (complete(argc - 3, argv + 3));
	if (argc == 3 && strcmp(argv[1], "completion") == 0 &&
	    (script = completion_script(argv[2])) != NULL) {
		fputs(script, stdout);
		return (EXIT_DONE);
	}
	if (argc > 1 && peer_is_word(argv[1]))
		return (peer_main(argc - 1, argv + 1));
	opts.command = argc > 1 ? command_of(argv[1]) : C_NONE;
	if (opts.command == C_NONE) {
		if (argc > 1)
			say("%s: no such command", argv[1]);
		usage(stderr);
		return (EXIT_USAGE);
	}
	status = take_options(argc - 1, argv + 1) == -1 ||
	    take_words(argc - 1 - optind, argv + 1 + optind) == -1 ||
	    take_place() == -1 ? EXIT_USAGE : run();
	/* The shell's own may be any other. */
	return (relay.ended ? status : failed(status));
}
