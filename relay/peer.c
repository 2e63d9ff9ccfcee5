/* SPDX-License-Identifier: ISC */
/*
 * relay auth, create, tcp-listen and so on, as in `words`. All but auth and
 * create need a session and the token of a slot. The variables are those of the
 * existing tool, so that what `create --output env` says serves both.
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <netinet/in.h>
#include <arpa/inet.h>

#include <event2/event.h>
#include <event2/listener.h>

#include <cjson/cJSON.h>
#include <llhttp.h>
#include <sodium.h>

#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api.h"
#include "auth.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "base/secretfile.h"
#include "base/text.h"
#include "conn.h"
#include "credentials.h"
#include "many.h"
#include "net/net.h"
#include "peer.h"
#include "progress.h"
#include "relay.h"
#include "udp.h"
#include "usage.h"
#include "wait.h"

#define HOST_MAX_LEN	256
#define TTL_MAX		31536000	/* s: a year */
#define UNTIL_SIZE	64		/* of a time, as shown */

static int	auth_begin(void);
static int	create_start(void);
static int	listen_one(void);
static int	dial_target(void);
static int	udp_listen(void);
static int	udp_dial(void);
static int	raw_start(void);

#define SIDE	" [--url URL] [--session ID] [--token-file FILE]"
#define WAY	" [--ca-file FILE] [--allow-plain]"

static const struct {
	const char	*name;
	int		(*start)(void);
	int		 needs_slot;
	const char	*synopsis;	/* usage.h */
} words[] = {
	{ "auth", auth_begin, 0, "[--url URL] [--client-id ID] "
	    "[--credentials FILE] [--logout]" WAY },
	{ "create", create_start, 0, "[--url URL] [--output text|json|env] "
	    "[--channels N] [--ttl SECONDS] [--wait] [--token-file FILE] "
	    "[--client-id ID] [--credentials FILE]" WAY },
	{ "tcp-listen", listen_one, 1,
	    "[--listen [ADDRESS:]PORT] [--channels N]" SIDE WAY },
	{ "tcp-dial", dial_target, 1,
	    "--target HOST:PORT [--channels N]" SIDE WAY },
	{ "udp-listen", udp_listen, 1, "[--listen [ADDRESS:]PORT]" SIDE WAY },
	{ "udp-dial", udp_dial, 1, "--target HOST:PORT" SIDE WAY },
	{ "raw", raw_start, 1, "[--ready FD]" SIDE WAY },
};

/* What --help says of an option that is not one of the other commands, too. */
static const struct {
	const char	*option, *text;
} helps[] = {
	{ "--session", "that of a relay session; SWSRS_SESSION" },
	{ "--token-file", "has the token of a side; or it is in SWSRS_TOKEN; of "
	    "create\n                     that of the identity provider, "
	    "SWSRS_OIDC_TOKEN" },
	{ "--target", "where it connects to" },
	{ "--channels", "of a session, 1 to 256: connections at a time" },
	{ "--ttl", "until the session ends by itself" },
	{ "--output", "how create prints it" },
	{ "--wait", "until both sides are there" },
	{ "--ready", "a descriptor that hears when the relay has let us in" },
	{ "--client-id", "as whom the identity provider knows this tool" },
	{ "--credentials", "where the token of auth is kept" },
	{ "--logout", "remove that" },
};
#define NWORDS	(sizeof(words) / sizeof(words[0]))

static struct {
	size_t		 word;
	const char	*url, *token, *token_file, *ca_file, *listen, *target;
	const char	*output, *channels, *ttl, *ready;
	const char	*client, *credentials;
	int		 allow_plain, logout, wait;
	char		 create_body[96];
	char		 host[HOST_MAX_LEN];	/* the target's */
	struct dial	*dial;
} peer = { .ca_file = "", .listen = "127.0.0.1:0", .output = "text" };

static const struct option	longer[] = {
	{ "url", required_argument, NULL, 'u' },
	{ "relay", required_argument, NULL, 'u' },
	{ "client-id", required_argument, NULL, 'C' },
	{ "credentials", required_argument, NULL, 'F' },
	{ "logout", no_argument, NULL, 'O' },
	{ "admin-url", required_argument, NULL, 'u' },
	{ "session", required_argument, NULL, 's' },
	{ "token", required_argument, NULL, 't' },
	{ "oidc-token", required_argument, NULL, 't' },
	{ "token-file", required_argument, NULL, 'f' },
	{ "role", required_argument, NULL, 'r' },
	{ "ca-file", required_argument, NULL, 'c' },
	{ "listen", required_argument, NULL, 'l' },
	{ "target", required_argument, NULL, 'd' },
	{ "output", required_argument, NULL, 'o' },
	{ "channels", required_argument, NULL, 'n' },
	{ "ttl", required_argument, NULL, 'T' },
	{ "wait", no_argument, NULL, 'W' },
	{ "ready", required_argument, NULL, 'R' },
	{ "allow-plain", no_argument, NULL, 'p' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 }
};

int
peer_is_word(const char *s)
{
	size_t	i;

	for (i = 0; i < NWORDS; i++)
		if (strcmp(words[i].name, s) == 0)
			return (1);
	return (0);
}

static const char *
env_or(const char *one, const char *two)
{
	const char	*s = getenv(one);

	if (s == NULL || *s == '\0')
		s = two != NULL ? getenv(two) : NULL;
	return (s != NULL && *s != '\0' ? s : NULL);
}

/* What is to be reached. 0, or -1 after a line. */
static int
take_url(const char *s)
{
	char		 ws[URL_MAX];
	const char	*why = NULL;
	size_t		 len;

	if (s == NULL) {
		say("no address of the relay: --url URL, or SWSRS_URL");
		return (-1);
	}
	if (strncasecmp(s, "http://", 7) == 0) {
		snprintf(ws, sizeof(ws), "ws://%s", s + 7);
		s = ws;
	}
	if ((why = url_parse(&relay.url, s)) == NULL &&
	    !relay.url.tls && !peer.allow_plain && !url_is_here(&relay.url))
		why = "without TLS everybody on the way reads the token: "
		    "https://, or --allow-plain";
	if (why != NULL) {
		say("%s: %s", s, why);
		return (-1);
	}
	for (len = strlen(relay.url.path); len > 0 &&
	    relay.url.path[len - 1] == '/'; len--)
		relay.url.path[len - 1] = '\0';
	return (0);
}

/* Visible ASCII, so that it stays one line of a head. */
static int
is_plain(const char *s)
{
	for (; *s != '\0'; s++)
		if (*s <= ' ' || *s > '~')
			return (0);
	return (1);
}

static int
take_token(void)
{
	const char	*why = NULL;
	int		 slot = words[peer.word].needs_slot;

	if (peer.token_file != NULL) {
		relay.token = secret_file_read(peer.token_file, &why);
		if (relay.token == NULL) {
			say("%s: %s", peer.token_file, why);
			return (-1);
		}
	} else {
		if (peer.token == NULL)
			peer.token = env_or(slot ? "SWSRS_TOKEN" :
			    "SWSRS_OIDC_TOKEN", NULL);
		relay.token = strdup(peer.token != NULL ? peer.token : "");
	}
	if (relay.token == NULL || !is_plain(relay.token)) {
		say("this is no token");
		return (-1);
	}
	if (slot && *relay.token == '\0') {
		say("no token: --token-file FILE, or SWSRS_TOKEN");
		return (-1);
	}
	return (0);
}

static int
take_session(void)
{
	if (!words[peer.word].needs_slot)
		return (0);
	if (relay.session == NULL)
		relay.session = env_or("SWSRS_SESSION", NULL);
	if (relay.session != NULL && relay.session[strspn(relay.session,
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	    "0123456789-_~")] == '\0' && *relay.session != '\0')
		return (0);
	say("no session: --session ID, or SWSRS_SESSION");
	return (-1);
}

static int
usage(void)
{
	usage_line(stderr, 1, words[peer.word].name,
	    words[peer.word].synopsis);
	return (-1);
}

void
peer_usage(FILE *f)
{
	size_t	i;

	for (i = 0; i < NWORDS; i++)
		usage_line(f, 0, words[i].name, words[i].synopsis);
}

/* What an option takes, as the first synopsis with it says; "" nothing. */
static void
value_of(const char *option, char value[64])
{
	const char	*at;
	char		 found[32];
	size_t		 i;

	for (i = 0; i < NWORDS; i++)
		for (at = words[i].synopsis; usage_option(&at, found, value);)
			if (strcmp(found, option) == 0)
				return;
	value[0] = '\0';
}

void
peer_help(FILE *f)
{
	char	value[64];
	size_t	i;
	int	n;

	for (i = 0; i < sizeof(helps) / sizeof(helps[0]); i++) {
		value_of(helps[i].option, value);
		n = fprintf(f, "  %s%s%s", helps[i].option, *value == '\0' ? "" :
		    " ", value);
		if (n > 20)
			n = 1 - fprintf(f, "\n");
		fprintf(f, "%*s%s\n", 21 - n, "", helps[i].text);
	}
}

void
peer_complete_word(const char *typed)
{
	size_t	i;

	for (i = 0; i < NWORDS; i++)
		if (strncmp(words[i].name, typed, strlen(typed)) == 0)
			printf("%s\n", words[i].name);
}

/* Of a value that is one of several. */
static void
complete_value(char *value, const char *typed)
{
	const char	*one;

	if (strchr(value, '|') == NULL)
		return;
	while ((one = strsep(&value, "|")) != NULL)
		if (strncmp(one, typed, strlen(typed)) == 0)
			printf("%s\n", one);
}

void
peer_complete(int argc, char **argv)
{
	const char	*typed = argv[argc - 1], *at;
	char		 option[32], value[64];
	size_t		 i = 0;

	while (strcmp(words[i].name, argv[0]) != 0)
		i++;
	for (at = words[i].synopsis; usage_option(&at, option, value);)
		if (strcmp(option, argv[argc - 2]) == 0 && *value != '\0') {
			complete_value(value, typed);
			return;
		}
	for (at = words[i].synopsis; typed[0] == '-' &&
	    usage_option(&at, option, value);)
		if (strncmp(option, typed, strlen(typed)) == 0)
			printf("%s\n", option);
}

/* A number of the command line; 0, or -1 after a line. */
static int
number_ok(const char *option, const char *text, int least, int most)
{
	const char	*wrong = NULL;

	if (text != NULL)
		(void)strtonum(text, least, most, &wrong);
	if (wrong == NULL)
		return (0);
	say("%s %s: %s; a number from %d to %d is wanted", option, text, wrong,
	    least, most);
	return (-1);
}

static int
take_options(int argc, char **argv)
{
	int	ch;

	peer.url = env_or("SWSRS_URL", "RELAY_URL");
	peer.client = env_or("SWSRS_OIDC_CLIENT_ID", NULL);
	if (words[peer.word].start == create_start)
		peer.url = env_or("SWSRS_ADMIN_URL", "SWSRS_URL");
	if (env_or("RELAY_CA_FILE", NULL) != NULL)
		peer.ca_file = env_or("RELAY_CA_FILE", NULL);
	while ((ch = getopt_long(argc, argv, "", longer, NULL)) != -1)
		switch (ch) {
		case 'u': peer.url = optarg; break;
		case 's': relay.session = optarg; break;
		case 't': peer.token = optarg; break;
		case 'f': peer.token_file = optarg; break;
		case 'r': break;	/* the token says which slot it is */
		case 'c': peer.ca_file = optarg; break;
		case 'l': peer.listen = optarg; break;
		case 'd': peer.target = optarg; break;
		case 'o': peer.output = optarg; break;
		case 'n': peer.channels = optarg; break;
		case 'T': peer.ttl = optarg; break;
		case 'W': peer.wait = 1; break;
		case 'p': peer.allow_plain = 1; break;
		case 'C': peer.client = optarg; break;
		case 'F': peer.credentials = optarg; break;
		case 'O': peer.logout = 1; break;
		case 'R': peer.ready = optarg; break;
		case 'h':
			usage_line(stdout, 1, words[peer.word].name,
			    words[peer.word].synopsis);
			exit(EXIT_DONE);
		default: return (usage());
		}
	if (optind != argc) {
		say("%s: a word too many", argv[optind]);
		return (usage());
	}
	if (strcmp(peer.output, "text") != 0 &&
	    strcmp(peer.output, "json") != 0 &&
	    strcmp(peer.output, "env") != 0) {
		say("--output %s: text, json or env is wanted", peer.output);
		return (-1);
	}
	if (number_ok("--channels", peer.channels, 1, MANY_MAX) == -1 ||
	    number_ok("--ttl", peer.ttl, 1, TTL_MAX) == -1 ||
	    number_ok("--ready", peer.ready, 3, 1023) == -1)
		return (-1);
	if (peer.ready != NULL)
		relay.ready = (int)strtonum(peer.ready, 3, 1023, NULL);
	return (take_url(peer.url) == -1 || take_session() == -1 ?
	    -1 : take_token());
}

/* ---- create ---- */

static void
create_print(const cJSON *o)
{
	static const char *const	names[3][3] = {
		{ "id", "SWSRS_SESSION", "session" },
		{ "initiator_token", "SWSRS_INITIATOR_TOKEN", "initiator" },
		{ "responder_token", "SWSRS_RESPONDER_TOKEN", "responder" },
	};
	const char			*until = api_text(o, "expires_at");
	int				 i, env = peer.output[0] == 'e';
	char				*text, shown[UNTIL_SIZE];

	if (peer.output[0] == 'j') {
		if ((text = cJSON_Print(o)) != NULL) {
			text_put_json(stdout, text);
			putchar('\n');
		}
		cJSON_free(text);
		return;
	}
	/* A shell may evaluate it: nothing but what it takes for a word. */
	for (i = 0; i < 3; i++)
		printf(env ? "%s=%s\n" : "%-11s%s\n", names[i][env ? 1 : 2],
		    api_text(o, names[i][0]));
	if (env)
		return;
	log_escape(shown, sizeof(shown), until, strlen(until));
	printf("%-11s%s\n", "until", shown);
}

static int
is_created(const cJSON *o)
{
	static const char *const	names[] = { "id", "initiator_token",
	    "responder_token" };
	const char			*s;
	size_t				 i;

	for (i = 0; i < 3; i++) {
		s = api_text(o, names[i]);
		if (*s == '\0' || s[strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		    "abcdefghijklmnopqrstuvwxyz0123456789-_")] != '\0')
			return (0);
	}
	return (1);
}

static void
created(void *arg, const struct api_answer *answer)
{
	char	why[API_WHY_SIZE];

	(void)arg;
	if (answer->status == 0) {
		say("%s", answer->why);
		tool_end(EXIT_UNREACHED);
	} else if (answer->status != 201 || !is_created(answer->doc)) {
		api_refusal(why, answer);
		say("no session: %s", why);
		tool_end(answer->status >= 500 ? EXIT_UNREACHED :
		    EXIT_REFUSED);
	} else {
		create_print(answer->doc);
		if (fflush(stdout) == EOF || (peer.wait &&
		    wait_start(api_text(answer->doc, "id")) == -1))
			tool_end(EXIT_REFUSED);
		else if (!peer.wait)
			tool_end(EXIT_DONE);
	}
}

static int
create_ask(void)
{
	char		*body = peer.create_body;
	struct api_ask	 ask = { .method = HTTP_POST, .bare = 1,
	    .path = "/admin/sessions", .body = body, .ms = API_MS };

	snprintf(body, sizeof(peer.create_body), "{%s%s%s%s%s}",
	    peer.channels != NULL ? "\"channels\":" : "",
	    peer.channels != NULL ? peer.channels : "",
	    peer.channels != NULL && peer.ttl != NULL ? "," : "",
	    peer.ttl != NULL ? "\"ttl\":" : "",
	    peer.ttl != NULL ? peer.ttl : "");
	return (api_start(&ask, created, NULL) == NULL ? -1 : 0);
}

static void
token_come(const char *token, const char *why, int unreached)
{
	freezero(relay.token, strlen(relay.token));
	relay.token = strdup(token != NULL ? token : "");
	if (why == NULL && (relay.token == NULL || !is_plain(relay.token)))
		why = "this is no token";
	if (why == NULL && create_ask() == -1)
		why = "out of memory";
	if (why == NULL)
		return;
	say("%s", why);
	tool_end(unreached ? EXIT_UNREACHED : EXIT_REFUSED);
}

/* Without a token of the caller's it is that of `relay auth`. */
static int
create_start(void)
{
	const char	*path = cred_path(peer.credentials);

	if (*relay.token != '\0')
		return (create_ask());
	return (auth_token(path != NULL ? path : "", peer.client, token_come));
}

static int
auth_begin(void)
{
	const char	*path = cred_path(peer.credentials);

	if (path == NULL) {
		say("no home for the credentials: --credentials FILE");
		return (-1);
	}
	if (!peer.logout)
		return (auth_login(path, peer.client));
	if (cred_remove(path) == -1) {
		say("%s: %s", path, strerror(errno));
		return (-1);
	}
	tool_end(EXIT_DONE);
	return (0);
}

/* ---- a session's side ---- */

static void
ended(void *arg, enum ended how, const char *why)
{
	(void)arg;
	tool_ready(*why != '\0' ? why : "it has ended");
	if (*why != '\0')
		say("%s", why);
	tool_end(how == ENDED_WELL ? EXIT_DONE : how == ENDED_UNREACHED ?
	    EXIT_UNREACHED : EXIT_REFUSED);
}

/*
 * Both are one socket, as of a super-server or librelay: then it is used as
 * one.
 */
static int
is_one_socket(void)
{
	struct stat	in, out;

	return (fstat(STDIN_FILENO, &in) == 0 &&
	    fstat(STDOUT_FILENO, &out) == 0 && S_ISSOCK(in.st_mode) &&
	    in.st_dev == out.st_dev && in.st_ino == out.st_ino);
}

static int
raw_start(void)
{
	if (is_one_socket()) {
		close(STDOUT_FILENO);
		return (conn_start(STDIN_FILENO, STDIN_FILENO, ended, NULL) ==
		    NULL ? -1 : 0);
	}
	progress_bytes(1);
	return (conn_start(STDIN_FILENO, STDOUT_FILENO, ended, NULL) == NULL ?
	    -1 : 0);
}

/* One, and no more: it is what the session is for. */
static void
came(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa,
    int len, void *arg)
{
	(void)sa;
	(void)len;
	(void)arg;
	evconnlistener_free(l);
	progress_bytes(0);
	if (conn_start(fd, fd, ended, NULL) == NULL) {
		close(fd);
		tool_end(EXIT_UNREACHED);
	}
}

static void
cannot_listen(void)
{
	say("--listen %s: %s", peer.listen, errno == 0 || errno == EINVAL ||
	    errno == ERANGE ? "[ADDRESS:]PORT is wanted, of IPv4" :
	    strerror(errno));
}

/* An IPv4 address and a port, of which 0 is any that is free. */
static int
listen_parse(struct sockaddr_in *in)
{
	const char	*port = strrchr(peer.listen, ':'), *wrong;
	char		 host[INET_ADDRSTRLEN] = "127.0.0.1";
	size_t		 n = port != NULL ? (size_t)(port - peer.listen) : 0;

	if (n >= sizeof(host))
		return (-1);
	if (n > 0) {
		memcpy(host, peer.listen, n);
		host[n] = '\0';
	}
	in->sin_port = htons((uint16_t)strtonum(port != NULL ? port + 1 :
	    peer.listen, 0, 65535, &wrong));
	return (wrong == NULL && inet_pton(AF_INET, host, &in->sin_addr) == 1 ?
	    0 : -1);
}

static unsigned
channels(void)
{
	return ((unsigned)strtonum(peer.channels, 1, MANY_MAX, NULL));
}

static int
listen_one(void)
{
	struct sockaddr_in	 in = { .sin_family = AF_INET };
	struct evconnlistener	*l;
	char			 host[INET_ADDRSTRLEN];
	socklen_t		 size = sizeof(in);

	if (peer.channels != NULL && listen_parse(&in) == 0)
		return (many_listen(&in, channels()));
	errno = 0;
	if (listen_parse(&in) == -1 ||
	    (l = evconnlistener_new_bind(relay.base, came, NULL,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE,
	    1, (struct sockaddr *)&in, sizeof(in))) == NULL) {
		cannot_listen();
		return (-1);
	}
	if (getsockname(evconnlistener_get_fd(l), (struct sockaddr *)&in,
	    &size) == 0 &&
	    inet_ntop(AF_INET, &in.sin_addr, host, sizeof(host)) != NULL)
		say("listening on %s:%u", host, ntohs(in.sin_port));
	return (0);
}

static void
dialed(void *arg, struct sock *s, const char *why)
{
	(void)arg;
	if (why != NULL) {
		say("%s: %s", peer.target, why);
		tool_end(EXIT_UNREACHED);
	} else if (conn_start(s->fd, s->fd, ended, NULL) == NULL) {
		sock_close(s);
		tool_end(EXIT_UNREACHED);
	} else
		progress_bytes(0);
}

/* Its host is in peer.host; its port, or 0 after a line. */
static uint16_t
take_target(void)
{
	const char	*port, *wrong = "missing";
	uint16_t	 number = 0;
	size_t		 n;

	port = peer.target != NULL ? strrchr(peer.target, ':') : NULL;
	if (port != NULL)
		number = (uint16_t)strtonum(port + 1, 1, 65535, &wrong);
	n = port != NULL ? (size_t)(port - peer.target) : 0;
	if (wrong != NULL || n == 0 || n >= sizeof(peer.host)) {
		say("--target %s: HOST:PORT is wanted", peer.target == NULL ?
		    "is missing" : peer.target);
		return (0);
	}
	memcpy(peer.host, peer.target, n);
	if (peer.host[0] == '[' && peer.host[n - 1] == ']') {
		memmove(peer.host, peer.host + 1, n - 2);
		peer.host[n - 2] = '\0';
	}
	return (number);
}

static int
dial_target(void)
{
	struct dial_how	 how = { .host = peer.host, .tls = DIAL_PLAIN,
			    .name = peer.host };

	if ((how.port = take_target()) == 0)
		return (-1);
	if (peer.channels != NULL)
		return (many_dial(&how, channels()));
	return ((peer.dial = dial_start(&how, dialed, NULL)) == NULL ? -1 : 0);
}

/* ---- datagrams ---- */

static int
udp_begin(int fd, int to_sender)
{
	if (fd != -1 && udp_start(fd, to_sender, ended, NULL) != NULL)
		return (0);
	if (fd != -1)
		close(fd);
	return (-1);
}

static int
udp_listen(void)
{
	struct sockaddr_in	 in = { .sin_family = AF_INET };
	char			 host[INET_ADDRSTRLEN];
	socklen_t		 size = sizeof(in);
	int			 fd = -1;

	errno = 0;
	if (listen_parse(&in) == -1 ||
	    (fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) == -1 ||
	    bind(fd, (struct sockaddr *)&in, sizeof(in)) == -1 ||
	    getsockname(fd, (struct sockaddr *)&in, &size) == -1 ||
	    inet_ntop(AF_INET, &in.sin_addr, host, sizeof(host)) == NULL) {
		cannot_listen();
		if (fd != -1)
			close(fd);
		return (-1);
	}
	say("listening on %s:%u", host, ntohs(in.sin_port));
	return (udp_begin(fd, 1));
}

static int
udp_dial(void)
{
	struct addrinfo	 hints = { .ai_socktype = SOCK_DGRAM }, *all, *ai;
	uint16_t	 port = take_target();
	char		 service[8];
	int		 fd = -1, e;

	if (port == 0)
		return (-1);
	snprintf(service, sizeof(service), "%u", port);
	if ((e = getaddrinfo(peer.host, service, &hints, &all)) != 0) {
		say("%s: %s", peer.target, gai_strerror(e));
		return (-1);
	}
	for (ai = all; ai != NULL && fd == -1; ai = ai->ai_next) {
		fd = socket(ai->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (fd != -1 && connect(fd, ai->ai_addr, ai->ai_addrlen) == -1) {
			close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(all);
	if (fd == -1)
		say("%s: no way there", peer.target);
	return (udp_begin(fd, 0));
}

/* Standard input may be a file, which epoll(7) does not take. */
static struct event_base *
peer_base(void)
{
	struct event_config	*cf = event_config_new();
	struct event_base	*base = NULL;

	if (cf != NULL && event_config_avoid_method(cf, "epoll") == 0)
		base = event_base_new_with_config(cf);
	if (cf != NULL)
		event_config_free(cf);
	return (base);
}

int
peer_main(int argc, char **argv)
{
	while (strcmp(words[peer.word].name, argv[0]) != 0)
		peer.word++;
	if (take_options(argc, argv) == -1)
		return (EXIT_USAGE);
	if (sodium_init() == -1 || (relay.base = peer_base()) == NULL) {
		say("out of memory");
		return (EXIT_UNREACHED);
	}
	relay.slot = words[peer.word].needs_slot;
	relay.service = "";
	clock_init_any(relay.base);
	net_init(relay.base, 0, peer.ca_file);
	if (net_check(0) == -1)
		return (EXIT_USAGE);
	net_reload();
	if (words[peer.word].start() == -1)
		return (EXIT_USAGE);
	if (!relay.ended)
		event_base_dispatch(relay.base);
	net_clear();
	clock_clear();
	event_base_free(relay.base);
	freezero(relay.token, strlen(relay.token));
	return (relay.status);
}
