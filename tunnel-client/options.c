/* SPDX-License-Identifier: ISC */
/*
 * Flags, environment and file: one table, so that each option has its flag, its
 * variable, its default and its parser in one line. tunnel-protocol.md, 7.1.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "base/compat.h"
#include "base/log.h"
#include "base/target.h"
#include "options_int.h"
#include "proxy.h"

#define SECRET_MAX	1024	/* bytes of a secret file's first line */

const struct option_row	option_rows[] = {
	{ "url", "SUPPORT_URL", "", 'u', STRING, AT(url),
	    "address of the support server, wss:// (or https://)" },
	{ "key", "SYSTEM_KEY", "", 'k', SECRET, AT(key), "system key" },
	{ "secret", "SYSTEM_SECRET", "", 's', SECRET, AT(secret),
	    "system secret" },
	{ "secret-file", NULL, NULL, 0, FILE_FLAG, AT(secret),
	    "file with the system secret" },
	{ "node-id", "NODE_ID", "", 'n', STRING, AT(node),
	    "number of this node of a cluster" },
	{ "config", "TUNNEL_CONFIG", TUNNEL_CLIENT_CONF, 'f', CONFIG,
	    AT(config), "file with such words and their values" },
	{ "check", NULL, NULL, 0, ACTION, AT(check),
	    "say whether all this is right, and exit" },
	{ "static-services", "STATIC_SERVICES", "", 0, LIST,
	    AT(static_services),
	    "name=host:port[:host=NAME][:tls|:tls-old],..." },
	{ "exclude", "EXCLUDE_PATTERNS", "", 0, LIST, AT(exclude),
	    "globs of service names to leave out" },
	{ "no-terminal", "NO_TERMINAL", NULL, 0, FLAG, AT(no_terminal),
	    "give no terminal" },
	{ "no-commands", "NO_COMMANDS", NULL, 0, FLAG, AT(no_commands),
	    "let nobody add services" },
	{ "reconnect-delay", "RECONNECT_DELAY", "5s", 0, DURATION,
	    AT(reconnect_ms), "first delay before a new attempt" },
	{ "max-reconnect-delay", "MAX_RECONNECT_DELAY", "5m", 0, DURATION,
	    AT(max_reconnect_ms), "longest one" },
	{ "discovery-interval", "DISCOVERY_INTERVAL", "5m", 0, DURATION,
	    AT(discovery_ms), "how often services are announced anew" },
	{ "tls-insecure", "TLS_INSECURE", NULL, 0, FLAG, AT(tls_insecure),
	    "check no certificate of the server" },
	{ "allow-plain", "ALLOW_PLAIN", NULL, 0, FLAG, AT(allow_plain),
	    "send the secret in clear: ws:// to another machine" },
	{ "ca-file", "CA_FILE", "", 0, STRING, AT(ca_file),
	    "certificates to trust, and none of the system" },
	{ "proxy", "HTTPS_PROXY https_proxy ALL_PROXY all_proxy", "", 0, PROXY,
	    AT(proxy), "forward proxy, http://[user:password@]host:port" },
	{ "no-proxy", "NO_PROXY no_proxy", "", 0, STRING, AT(no_proxy),
	    "hosts, domains, networks that need none" },
	{ "status-socket", "STATUS_SOCKET", TUNNEL_CLIENT_SOCKET, 0, STRING,
	    AT(status_socket), "where `status` asks, or none" },
	{ "status-group", "STATUS_GROUP", "", 0, STRING, AT(status_group),
	    "group that may ask there, too" },
	{ "json", NULL, NULL, 'j', ACTION, AT(json), "`status` in JSON" },
	{ "consent", "CONSENT", "always", 0, STRING, AT(consent),
	    "when operators may come: always, ask, or until a time" },
	{ "consent-file", "CONSENT_FILE", TUNNEL_CLIENT_STATEDIR "/consent", 0,
	    STRING, AT(consent_file), "where the order `consent` is kept" },
	{ "diagnostics-dir", "DIAGNOSTICS_DIR", "/usr/share/my/diagnostics.d",
	    0, STRING, AT(diagnostics_dir), "directory of plugins" },
	{ "diagnostics-plugin-timeout", "DIAGNOSTICS_PLUGIN_TIMEOUT", "10s",
	    0, DURATION, AT(plugin_timeout_ms), "limit of one plugin" },
	{ "diagnostics-total-timeout", "DIAGNOSTICS_TOTAL_TIMEOUT", "30s", 0,
	    DURATION, AT(diagnostics_timeout_ms), "limit of all plugins" },
	{ "redis-addr", "REDIS_ADDR", "", 'r', STRING, AT(redis),
	    "host:port of the Redis of a cluster, or none" },
	{ "users-dir", "USERS_DIR", "/usr/share/my/users.d", 0, STRING,
	    AT(users_dir), "directory of users plugins" },
	{ "users-plugin-timeout", "USERS_PLUGIN_TIMEOUT", "15s", 0, DURATION,
	    AT(users_plugin_ms), "limit of one users plugin" },
	{ "users-total-timeout", "USERS_TOTAL_TIMEOUT", "60s", 0, DURATION,
	    AT(users_timeout_ms), "limit of all users plugins" },
	{ "users-state-file", "USERS_STATE_FILE",
	    "/var/run/my-support-users.json", 0, STRING, AT(users_state),
	    "where it says what has to be deleted" },
	{ "verbose", NULL, NULL, 'v', FLAG, AT(verbose), "log more" },
};
#define NROWS	(sizeof(option_rows) / sizeof(option_rows[0]))
const size_t	option_count = NROWS;

#define OPT_HELP	1000
#define OPT_VERSION	1001
#define OPT_COMPLETION	1002

/* What no child of ours, nor who looks at us, finds in an environment. 7.7 */
static const char *const hidden[] = { "SYSTEM_KEY", "SYSTEM_SECRET",
    "SUPPORT_URL", "DATABASE_URL", "REDIS_ADDR", "REDIS_PASSWORD", "REDIS_URL",
    "SUPPORT_INTERNAL_SECRET", "TUNNEL_CONFIG", "HTTPS_PROXY", "https_proxy",
    "ALL_PROXY", "all_proxy" };

static int	defaults(struct options *);
static int	from_env(struct options *, const unsigned char *, char **);
static int	find_config(struct options *, int, char **, char **);
static int	from_flags(struct options *, int, char **);
static int	check(const struct options *);
static void	wipe(char **, char **);

int
option_is_text(const struct option_row *r)
{
	return (r->kind == STRING || r->kind == SECRET || r->kind == LIST ||
	    r->kind == CONFIG || r->kind == PROXY);
}

int
option_is_flag(const struct option_row *r)
{
	return (r->kind == FLAG || r->kind == ACTION);
}

static int
set_string(struct options *o, const struct option_row *r, const char *value)
{
	char	**p = (char **)((char *)o + r->at);
	char	 *copy;

	if ((copy = strdup(value)) == NULL) {
		fprintf(stderr, "tunnel-client: out of memory\n");
		return (-1);
	}
	if (*p != NULL)
		explicit_bzero(*p, strlen(*p));
	free(*p);
	*p = copy;
	return (0);
}

static int
set_duration(struct options *o, const struct option_row *r, const char *value)
{
	return (duration_parse(value, (uint64_t *)((char *)o + r->at)));
}

/* `true` as the environment says it; a flag takes other words too. */
static int
set_flag(struct options *o, const struct option_row *r, const char *value)
{
	int	*p = (int *)((char *)o + r->at);

	if (strcmp(value, "true") == 0 || strcmp(value, "1") == 0)
		*p = 1;
	else if (strcmp(value, "false") == 0 || strcmp(value, "0") == 0)
		*p = 0;
	else
		return (-1);
	return (0);
}

static int
defaults(struct options *o)
{
	size_t	i;

	for (i = 0; i < NROWS; i++) {
		if (option_rows[i].def == NULL)
			continue;
		if (option_rows[i].kind == DURATION)
			(void)set_duration(o, &option_rows[i], option_rows[i].def);
		else if (set_string(o, &option_rows[i],
		    option_rows[i].def) == -1)
			return (-1);
	}
	return (0);
}

static const char *
env_one(char **envp, const char *name, size_t len)
{
	for (; *envp != NULL; envp++)
		if (strncmp(*envp, name, len) == 0 && (*envp)[len] == '=' &&
		    (*envp)[len + 1] != '\0')
			return (*envp + len + 1);
	return (NULL);
}

/* A proxy that we cannot speak to is none: others read that variable, too. */
static int
env_fits(const struct option_row *r, const char *name, size_t len,
    const char *value)
{
	struct proxy	*x;
	const char	*why;

	if (r->kind != PROXY || (x = calloc(1, sizeof(*x))) == NULL)
		return (1);
	if ((why = proxy_parse(x, value)) != NULL)
		log_warnx("%.*s is ignored: %s", (int)len, name, why);
	freezero(x, sizeof(*x));
	return (why == NULL);
}

/* The first of a row's variables; an empty one is an absent one. */
static const char *
env_get(char **envp, const struct option_row *r)
{
	const char	*name = r->env, *value;
	size_t		 len;

	for (; name != NULL && *name != '\0'; name += len + (name[len] == ' ')) {
		len = strcspn(name, " ");
		value = env_one(envp, name, len);
		if (value != NULL && env_fits(r, name, len, value))
			return (value);
	}
	return (NULL);
}

/* `filed` rows are set by the file. */
static int
from_env(struct options *o, const unsigned char *filed, char **envp)
{
	const struct option_row	*r;
	const char		*value;
	size_t			 i;

	for (i = 0; i < NROWS; i++) {
		r = &option_rows[i];
		if (r->kind == CONFIG || (value = env_get(envp, r)) == NULL)
			continue;
		if (r->kind == DURATION && set_duration(o, r, value) == -1)
			log_info("%s is not a duration: %s is used", r->env,
			    filed[i] ? "that of the file" : r->def);
		else if (r->kind == FLAG)
			(void)set_flag(o, r, strcmp(value, "true") == 0 ?
			    "true" : "false");
		else if (r->kind != DURATION && set_string(o, r, value) == -1)
			return (-1);
	}
	return (0);
}

static int
take_secret_file(struct options *o, const struct option_row *r,
    const char *path)
{
	char	*secret;
	int	 n;

	if ((secret = secret_file_read(path)) == NULL)
		return (-1);
	n = set_string(o, r, secret);
	freezero(secret, strlen(secret));
	return (n);
}

int
option_take(struct options *o, const struct option_row *r, const char *value,
    const char *where)
{
	switch (r->kind) {
	case STRING:
	case SECRET:
	case LIST:
	case CONFIG:
	case PROXY:
		return (set_string(o, r, value));
	case DURATION:
		if (set_duration(o, r, value) == 0)
			return (0);
		break;
	case FLAG:
	case ACTION:
		if (set_flag(o, r, value == NULL ? "true" : value) == 0)
			return (0);
		break;
	case FILE_FLAG:
		return (take_secret_file(o, r, value));
	}
	fprintf(stderr, "tunnel-client: %s%s: %s expected, got \"%s\"\n",
	    where, r->flag, option_is_flag(r) ? "true or false" :
	    "a duration such as 90s or 5m", value);
	return (-1);
}

int
option_join(struct options *o, const struct option_row *r, const char *value)
{
	const char	*old = *(char **)((char *)o + r->at);
	char		*both;
	int		 n;

	if (asprintf(&both, "%s,%s", old, value) == -1) {
		fprintf(stderr, "tunnel-client: out of memory\n");
		return (-1);
	}
	n = set_string(o, r, both);
	free(both);
	return (n);
}

/* The rows as getopt_long wants them. */
static void
long_options(struct option *lo, char *letters)
{
	size_t	i;

	for (i = 0; i < NROWS; i++) {
		lo[i].name = option_rows[i].flag;
		lo[i].has_arg = option_is_flag(&option_rows[i]) ?
		    optional_argument : required_argument;
		lo[i].flag = NULL;
		lo[i].val = (int)i + 1;
		if (option_rows[i].letter == 0)
			continue;
		*letters++ = (char)option_rows[i].letter;
		if (!option_is_flag(&option_rows[i]))
			*letters++ = ':';
	}
	lo[i++] = (struct option){ "help", no_argument, NULL, OPT_HELP };
	lo[i++] = (struct option){ "version", no_argument, NULL, OPT_VERSION };
	lo[i++] = (struct option){ "completion", required_argument, NULL,
	    OPT_COMPLETION };
	memset(&lo[i], 0, sizeof(lo[i]));
	*letters++ = 'h';
	*letters = '\0';
}

static const struct option_row *
row_of(int c)
{
	size_t	i;

	if (c >= 1 && c <= (int)NROWS)
		return (&option_rows[c - 1]);
	for (i = 0; i < NROWS; i++)
		if (option_rows[i].letter == c)
			return (&option_rows[i]);
	return (NULL);
}

/* What stands behind the flags: an order to the client that runs. */
static int
take_words(struct options *o, int argc, char **argv)
{
	int	i;

	for (i = 0; optind + i < argc && i < OPTION_WORDS; i++)
		if ((o->words[i] = strdup(argv[optind + i])) == NULL)
			return (-1);
	return (0);
}

/* The file's name has to be known before the flags, which go over it. */
static int
find_config(struct options *o, int argc, char **argv, char **envp)
{
	struct option			 lo[NROWS + 4];
	char				 letters[2 * NROWS + 2];
	const struct option_row		*r;
	const char			*value = env_one(envp, "TUNNEL_CONFIG",
					    13);
	int				 c, asked = 0;

	long_options(lo, letters);
	optind = 0;	/* from the start, whatever was left */
	opterr = 0;
	while ((c = getopt_long(argc, argv, letters, lo, NULL)) != -1) {
		if (c == 'h' || (c >= OPT_HELP && c <= OPT_COMPLETION)) {
			value = "";	/* help is there in any case */
			break;
		}
		if ((r = row_of(c)) != NULL && r->kind == CONFIG)
			value = optarg;
	}
	opterr = 1;
	for (r = option_rows; value != NULL && r < option_rows + NROWS; r++)
		if (r->kind == CONFIG && (asked = 1) &&
		    set_string(o, r, value) == -1)
			return (-1);
	return (take_words(o, argc, argv) == -1 ? -1 : asked);
}

/* --secret and --secret-file fill one member: one of them at most. */
static int
both_secrets(const struct option_row *r, unsigned *seen)
{
	if (r->at == AT(secret) && (r->kind == SECRET || r->kind == FILE_FLAG))
		*seen |= r->kind == SECRET ? 1 : 2;
	if (*seen != 3)
		return (0);
	fprintf(stderr, "tunnel-client: --secret and --secret-file exclude "
	    "each other\n");
	return (1);
}

static int
from_flags(struct options *o, int argc, char **argv)
{
	struct option			 lo[NROWS + 4];
	char				 letters[2 * NROWS + 2];
	const struct option_row		*r;
	unsigned			 secrets = 0;
	int				 c;

	long_options(lo, letters);
	optind = 0;	/* from the start, whatever was left */
	while ((c = getopt_long(argc, argv, letters, lo, NULL)) != -1) {
		if (c == 'h' || c == OPT_HELP) {
			optionhelp_usage(stdout);
			return (1);
		}
		if (c == OPT_VERSION) {
			printf("tunnel-client %s\n", RELAYD_VERSION);
			return (1);
		}
		if (c == OPT_COMPLETION)
			return (optionhelp_completion(optarg));
		if ((r = row_of(c)) == NULL) {
			optionhelp_usage(stderr);
			return (OPTIONS_USAGE);
		}
		if (both_secrets(r, &secrets))
			return (OPTIONS_USAGE);
		/* A file that cannot be read was named well. */
		if (option_take(o, r, optarg, "--") == -1)
			return (r->kind == FILE_FLAG ? -1 : OPTIONS_USAGE);
	}
	if (optind < argc && optionhelp_command(argv[optind]) < argc - optind) {
		fprintf(stderr, "tunnel-client: unexpected \"%s\"\n",
		    argv[argc - 1]);
		optionhelp_usage(stderr);
		return (OPTIONS_USAGE);
	}
	return (0);
}

static int
check(const struct options *o)
{
	size_t	len = strlen(o->node);

	if (o->words[0] != NULL)
		return (0);
	if (*o->url == '\0' || *o->key == '\0' || *o->secret == '\0') {
		fprintf(stderr, "tunnel-client: %s is required\n",
		    *o->url == '\0' ? "--url or SUPPORT_URL" :
		    *o->key == '\0' ? "--key or SYSTEM_KEY" :
		    "--secret-file or SYSTEM_SECRET");
		optionhelp_usage(stderr);
		return (-1);
	}
	if (len > 10 || strspn(o->node, "0123456789") != len) {
		fprintf(stderr, "tunnel-client: --node-id: 1 to 10 digits "
		    "expected\n");
		return (-1);
	}
	if (*o->redis != '\0' && strcmp(o->redis, "none") != 0 &&
	    target_parse(o->redis, NULL) != TARGET_OK) {
		fprintf(stderr, "tunnel-client: --redis-addr: host:port or "
		    "none expected\n");
		return (-1);
	}
	if (strchr(o->key, ':') != NULL) {
		fprintf(stderr, "tunnel-client: --key: has a colon\n");
		return (-1);
	}
	return (0);
}

/*
 * Overwrite the secrets where they came from, in place: unsetenv() alone
 * leaves them in /proc/PID/environ.
 */
static void
wipe(char **argv, char **envp)
{
	char	**in, **out;
	size_t	  i, len;

	for (in = out = envp; *in != NULL; in++) {
		for (i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
			len = strlen(hidden[i]);
			if (strncmp(*in, hidden[i], len) == 0 &&
			    (*in)[len] == '=')
				break;
		}
		if (i < sizeof(hidden) / sizeof(hidden[0]))
			explicit_bzero(*in, strlen(*in));
		else
			*out++ = *in;
	}
	*out = NULL;
	/* Arguments tell little that is not secret: all of them go. */
	for (i = 1; argv[0] != NULL && argv[i] != NULL; i++)
		explicit_bzero(argv[i], strlen(argv[i]));
}

int
options_read(struct options *o, int argc, char **argv, char **envp)
{
	unsigned char	filed[NROWS] = { 0 };
	int		r, asked = 0;

	memset(o, 0, sizeof(*o));
	/* From the weakest to the strongest. */
	if ((r = defaults(o)) == 0)
		r = asked = find_config(o, argc, argv, envp);
	if (r != -1)
		r = optionfile_read(o, filed, asked);
	if (r == 0 && (r = from_env(o, filed, envp)) == 0 &&
	    (r = from_flags(o, argc, argv)) == 0)
		r = check(o);
	wipe(argv, envp);
	return (r);
}

void
options_clear(struct options *o)
{
	size_t	  i;
	char	**p;

	for (i = 0; i < NROWS; i++) {
		if (!option_is_text(&option_rows[i]))
			continue;
		p = (char **)((char *)o + option_rows[i].at);
		if (*p != NULL)
			explicit_bzero(*p, strlen(*p));
		free(*p);
		*p = NULL;
	}
	for (i = 0; i < OPTION_WORDS; i++) {
		free(o->words[i]);
		o->words[i] = NULL;
	}
}

char *
secret_file_read(const char *path)
{
	struct stat	 sb;
	char		 buf[SECRET_MAX + 1], *secret = NULL;
	const char	*why = NULL;
	ssize_t		 n = -1;
	int		 fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd == -1 || fstat(fd, &sb) == -1)
		why = strerror(errno);
	else if (!S_ISREG(sb.st_mode))
		why = "not a regular file";
	else if ((sb.st_mode & (S_IWGRP | S_IRWXO)) != 0)
		why = "others may read or change it: chmod 600";
	else if ((n = read(fd, buf, sizeof(buf) - 1)) == -1)
		why = strerror(errno);
	if (fd != -1)
		close(fd);
	if (why == NULL) {
		buf[n] = '\0';
		buf[strcspn(buf, "\r\n")] = '\0';
		if (*buf == '\0')
			why = "its first line is empty";
		else if ((secret = strdup(buf)) == NULL)
			why = strerror(errno);
		explicit_bzero(buf, sizeof(buf));
	}
	if (why != NULL)
		fprintf(stderr, "tunnel-client: %s: %s\n", path, why);
	return (secret);
}
