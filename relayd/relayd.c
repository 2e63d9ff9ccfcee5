/* SPDX-License-Identifier: ISC */
/*
 * relayd, the parent. It reads the configuration, binds sockets, starts the
 * children, hands descriptors on and restarts what ends. It runs as root where
 * the daemon does, so it stays boring: no byte from the network and none from a
 * control client is parsed here, and whatever a child says is checked by
 * parent_table (parent.c). It starts in main(), waits in the event loop, and
 * ends in relayd_exit().
 */
#include <sys/stat.h>

#include <event2/event.h>
#include <sodium.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "cfg.h"
#include "base/compat.h"
#include "base/log.h"
#include "signals.h"
#include "strangers.h"
#include "upgrade.h"

static int		 from_env, from_file;	/* where it is written */

static void	usage(FILE *, int) __attribute__((noreturn));
static void	relayd_exit(void) __attribute__((noreturn));
static void	options(int, char **, int *, int *);
static int	check_only(int);
static int	check_rest(int);
static const char *absolute(const char *);
static void	reserve_fds(void);
static void	background(void);
static void	background_log(void);
static void	on_signal(int);
static void	parse_error(void *, int, const char *);

static void
usage(FILE *f, int status)
{
	fprintf(f, "usage: relayd [-dEnv] [-D macro=text] [-f file] "
	    "[-L directory]\n"
	    "       relayd --help | --version\n");
	if (f == stdout)
		fprintf(f, "\n"
		    "  -d             stay in the foreground, log to standard "
		    "error\n"
		    "  -D macro=text  define a macro of relayd.conf(5)\n"
		    "  -E             configure from variables: pairing, "
		    "rendezvous\n"
		    "  -f file        the configuration, not " RELAYD_CONF "\n"
		    "  -L directory   where the other programs are, not\n"
		    "                 " RELAYD_LIBEXECDIR "\n"
		    "  -n             check the configuration, change nothing\n"
		    "  -v             log for debugging, too; with -n print the "
		    "configuration\n"
		    "  --help         this\n"
		    "  --version      which version it is\n"
		    "\nrelayd(8) has users, a key and a file to begin with: "
		    "SETUP.\n");
	exit(status);
}

int
main(int argc, char **argv)
{
	char	err[1200];
	int	check = 0, verbose = 0, taken_over;

	upgrade_init(argc, argv);
	taken_over = takeover_begin() >= TAKEOVER_NEW;
	if (takeover_how() == TAKEOVER_CHECK)
		(void)dup2(PARENT_FD, STDERR_FILENO);
	options(argc, argv, &check, &verbose);
	if (takeover_how() != TAKEOVER_CHECK)
		reserve_fds();
	if (!check)
		upgrade_open();
	if (source_init(from_env) == -1)
		return (2);
	if (check)
		return (check_only(verbose));
	log_init("relayd", -1, verbose);
	log_own(childlog_own);
	if (taken_over && !env()->foreground)
		background_log();
	if (!env()->foreground) {
		env()->conf_path = absolute(env()->conf_path);
		env()->libexec = absolute(env()->libexec);
	}
	if (sodium_init() == -1)
		fatalx("libsodium does not start");
	env()->verbose = verbose;
	env()->root = geteuid() == 0;
	if (conf_read(&env()->conf, parse_error) > 0)
		exit(1);
	(void)check_rest(0);
	spawn_init(parent_table, parent_rows, parent_channel_closed);
	users_init();
	files_init();
	clock_complaints();
	if ((env()->base = event_base_new()) == NULL)
		fatalx("event loop: out of memory");
	clock_init(env()->base);
	env()->started_ms = clock_ms();
	pages_init();
	if (certs_judge(&env()->conf, err, sizeof(err)) == -1)
		fatalx("%s", err);
	certs_judged(1);
	acme_init();
	if (taken_over)
		takeover_listeners();
	listen_init();
	if (!env()->foreground && !taken_over)
		background();
	signals_init(env()->base, on_signal);
	watch_init();
	if (taken_over)
		takeover_children();
	else
		supervise_start();
	event_base_dispatch(env()->base);
	if (!env()->stopping)
		fatalx("the event loop ended");
	relayd_exit();
}

static void
options(int argc, char **argv, int *check, int *verbose)
{
	static const struct option	longer[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 }
	};
	int	ch;

	env()->conf_path = RELAYD_CONF;
	env()->libexec = RELAYD_LIBEXECDIR;
	while ((ch = getopt_long(argc, argv, "dD:Ef:hL:nv", longer, NULL)) !=
	    -1) {
		switch (ch) {
		case 'h':
			usage(stdout, 0);
		case 'V':
			printf("relayd %s\n", RELAYD_VERSION);
			exit(0);
		case 'd':
			env()->foreground = 1;
			break;
		case 'D':
			if (cfg_define(optarg) == -1)
				usage(stderr, 2);
			break;
		case 'E':
			from_env = 1;
			break;
		case 'f':
			from_file = 1;
			env()->conf_path = optarg;
			break;
		case 'L':
			env()->libexec = optarg;
			break;
		case 'n':
			*check = 1;
			break;
		case 'v':
			(*verbose)++;
			break;
		default:
			usage(stderr, 2);
		}
	}
	if (optind != argc || (from_env && from_file))
		usage(stderr, 2);
}

static void
parse_error(void *arg, int error, const char *text)
{
	char	printable[3072];

	(void)arg;
	(void)error;
	log_escape(printable, sizeof(printable), text, strlen(text));
	fprintf(stderr, "%s\n", printable);
}

/* There are none where all listeners are for devices or relay sessions. */
static int
takes_operators(const struct conf *conf)
{
	unsigned	i;

	for (i = 0; i < conf->n_listen; i++)
		if (!(conf->listen[i].flags & (LISTEN_ONLY | LISTEN_ADMIN |
		    LISTEN_PEER | LISTEN_TUNNEL)))
			return (!from_env);
	return (0);
}

/*
 * What the start refuses, which ends it. `check`: it is not the start, -1, and
 * who checks need not be who may read the secret.
 */
static int
check_rest(int check)
{
	const struct conf	*conf = &env()->conf;
	char			 err[1200];

	if (limits_check(&env()->conf, err, sizeof(err)) == -1 ||
	    spawn_find(err, sizeof(err)) == -1) {
		if (!check)
			fatalx("%s", err);
		log_warnx("%s", err);
		return (-1);
	}
	if (certs_check(&env()->conf, err, sizeof(err)) == -1) {
		if (!check)
			fatalx("%s", err);
		log_warnx("%s", err);
		if (geteuid() == 0 || errno != EACCES)
			return (-1);
	}
	if (conf->jwt_secret_file[0] == '\0' && takes_operators(conf))
		log_warnx("no jwt secret file: no operator can %s",
		    conf->n_issuer == 0 ? "sign in" :
		    "open a service in a browser");
	return (keyfiles_check(check));
}

/* Errors as the parser's are: no time, no process, and nothing that is none. */
static void
check_print(enum log_level level, const char *line)
{
	const char	*text = strstr(line, "]: ");

	if (level <= LOG_LEVEL_WARN)
		fprintf(stderr, "%s\n", text != NULL ? text + 3 : line);
}

/* -n: all that can be seen without a change; -nv prints what the file says. */
static int
check_only(int verbose)
{
	log_printer(check_print);
	if (conf_read(&env()->conf, parse_error) > 0 || check_rest(1) == -1)
		return (1);
	/* A container has another user for all of it. */
	if (!from_env || geteuid() == 0)
		users_check();
	files_check();
	if (takeover_how() == TAKEOVER_CHECK)
		return (takeover_check() == -1);
	if (verbose)
		cfg_print(&env()->conf, stdout);
	else if (from_env)
		fputs(env()->conf_text, stdout);
	else
		fprintf(stderr, "configuration OK\n");
	return (0);
}

/* The same file from everywhere: in the background "/" is where we are. */
static const char *
absolute(const char *path)
{
	char	dir[2048], *full;

	if (path[0] == '/')
		return (path);
	if (getcwd(dir, sizeof(dir)) == NULL ||
	    asprintf(&full, "%s/%s", dir, path) == -1)
		fatal("%s", path);
	return (full);
}

/*
 * 0 to 5 are never free for anything else: a child's channel, log and program
 * are moved to 3, 4 and 5 as it starts, and nothing of ours may lie there then.
 */
static void
reserve_fds(void)
{
	int	fd;

	do {
		if ((fd = open("/dev/null", O_RDWR | O_CLOEXEC)) == -1)
			_exit(1);
	} while (fd <= LOG_FD + 1);
	close(fd);
	takeover_close_others(LOG_FD + 2);
	for (fd = PARENT_FD; fd <= LOG_FD + 1; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static void
to_syslog(enum log_level level, const char *line)
{
	static const int	priorities[] = { LOG_ERR, LOG_WARNING,
	    LOG_INFO, LOG_DEBUG };

	syslog(priorities[level], "%s", line);
}

static void
background_log(void)
{
	openlog("relayd", LOG_NDELAY, LOG_DAEMON);
	log_printer(to_syslog);
}

/* Before the first child, which is to be ours and not init's. */
static void
background(void)
{
	openlog("relayd", LOG_NDELAY, LOG_DAEMON);
	if (daemon(0, 0) == -1)
		fatal("daemon");
	if (event_reinit(env()->base) == -1)
		fatalx("event loop after fork");
	log_printer(to_syslog);
}

/* Who asks with a signal (the id) is told by the log, which has the rest. */
static void
signal_answered(uint64_t who, uint32_t id, unsigned code, const char *text)
{
	(void)who;
	if (code == 409)
		log_warnx("%s: %s", id == SIGHUP ? "SIGHUP" : "SIGUSR2", text);
}

static void
on_signal(int sig)
{
	switch (sig) {
	case SIGCHLD:
		supervise_reap();
		break;
	case SIGHUP:
		reload_start(signal_answered, 0, SIGHUP);
		break;
	case SIGUSR2:
		upgrade_start(signal_answered, 0, SIGUSR2);
		break;
	case SIGINT:
	case SIGTERM:
		supervise_stop();
		break;
	default:
		break;
	}
}

/* The loop has ended: nobody lives any more. */
static void
relayd_exit(void)
{
	strangers_end();
	listen_close();
	watch_clear();
	acme_clear();
	log_info("stopped");
	signals_clear();
	clock_clear();
	event_base_free(env()->base);
	exit(env()->status);
}
