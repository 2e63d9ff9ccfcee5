/* SPDX-License-Identifier: ISC */
/* The command line and the environment, over the file, over the defaults. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "base/compat.h"
#include "base/log.h"
#include "base/target.h"
#include "options_int.h"
#include "net/proxy.h"

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

static int
defaults(struct options *o)
{
	size_t	i;

	for (i = 0; i < option_count; i++) {
		if (option_rows[i].def == NULL)
			continue;
		if (option_rows[i].kind == DURATION)
			(void)option_duration(o, &option_rows[i], option_rows[i].def);
		else if (option_string(o, &option_rows[i],
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

	for (i = 0; i < option_count; i++) {
		r = &option_rows[i];
		if (r->kind == CONFIG || (value = env_get(envp, r)) == NULL)
			continue;
		if (r->kind == DURATION && option_duration(o, r, value) == -1)
			log_info("%s is not a duration: %s is used", r->env,
			    filed[i] ? "that of the file" : r->def);
		else if (r->kind == FLAG)
			(void)option_flag(o, r, strcmp(value, "true") == 0 ?
			    "true" : "false");
		else if (r->kind != DURATION && option_string(o, r, value) == -1)
			return (-1);
	}
	return (0);
}

/* The rows as getopt_long wants them. */
static void
long_options(struct option *lo, char *letters)
{
	size_t	i;

	for (i = 0; i < option_count; i++) {
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

	if (c >= 1 && c <= (int)option_count)
		return (&option_rows[c - 1]);
	for (i = 0; i < option_count; i++)
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
	struct option			 lo[OPTIONS_MAX + 4];
	char				 letters[2 * OPTIONS_MAX + 2];
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
	for (r = option_rows; value != NULL && r < option_rows + option_count; r++)
		if (r->kind == CONFIG && (asked = 1) &&
		    option_string(o, r, value) == -1)
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
	struct option			 lo[OPTIONS_MAX + 4];
	char				 letters[2 * OPTIONS_MAX + 2];
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
	if (optind == argc - 1 && strcmp(argv[optind], "help") == 0) {
		optionhelp_usage(stdout);
		return (1);
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

	if (o->words[0] != NULL && strcmp(o->words[0], "install") != 0)
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
	unsigned char	filed[OPTIONS_MAX] = { 0 };
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

	for (i = 0; i < option_count; i++) {
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
