/* SPDX-License-Identifier: ISC */
/*
 * relayctl: asks a running relayd. It may touch the control socket and its
 * standard output; it is sent rows and a last word by the control worker. It
 * starts in main(), asks in ask(), and ends with the answer in on_done().
 */
#include <sys/ioctl.h>

#include <event2/event.h>

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cmd.h"
#include "complete.h"
#include "base/compat.h"
#include "proc/conf.h"
#include "imsg/imsg.h"
#include "imsg/proto.h"
#include "output.h"
#include "reach.h"
#include "top.h"

#define ANSWER_MS	30000	/* relayd gives up first, and says so */
#define COMPLETE_MS	1500	/* nobody waits longer for a list of words */
#define FOLLOW_MS	1000	/* between two looks of -f */
#define DRAIN_MS	500	/* between two looks at a drain */
#define LOST_MAX	60	/* of them that come to nothing, in a row */

static int	on_row(struct chan *, struct imsg *);
static int	on_text(struct chan *, struct imsg *);
static int	on_done(struct chan *, struct imsg *);

static const struct dispatch	table[] = {
	{ IMSG_CTL_ROW, R_CONTROL, S_ANY, MF_REQUEST, on_row },
	{ IMSG_CTL_TEXT, R_CONTROL, S_ANY, MF_REQUEST, on_text },
	{ IMSG_CTL_DONE, R_CONTROL, S_ANY, 0, on_done },
};

static struct {
	const char	*path;
	int		 json, wide, exact, force;
	int		 follow;	/* asked again behind the last row */
	unsigned	 seconds, times;	/* of top */
	int		 looks;		/* how often it was */
	char		 last[CTL_WORD_SIZE];	/* what names the last row */
	unsigned long	 printed;	/* objects of an array that goes on */
	uint64_t	 part;		/* bytes of a text in this answer */
	int		 quiet;		/* completing: not a word of complaint */
	const struct complete_ids *ids;
	const char	*begin;		/* of the word that is completed */
	struct cmd_line	 line;
	struct event_base *base;
	struct chan	*chan;
	unsigned	 protocol;	/* of relayd, as far as we know */
	int		 heard;		/* it understands us */
	struct rows	*rows;
	struct timer	 deadline, next;
	int		 drains;	/* we wait until relayd is empty */
	unsigned	 lost;		/* looks at it that came to nothing */
} ctl;

static void	usage(int) __attribute__((noreturn));
static char	**relay_words(int, char **);
static int	run_relay(char **);
static int	run_helper(const char *, const struct cmd_line *);
static int	complete(int, char **);
static void	ask(void) __attribute__((noreturn));
static void	look(void *);
static void	finish(int) __attribute__((noreturn));
static void	on_closed(struct chan *, int, const char *);
static void	on_late(void *);

static void
usage(int status)
{
	FILE	*f = status == EXIT_DONE ? stdout : stderr;

	fprintf(f, "usage: relayctl [-fhjnw] [-s socket] command "
	    "[argument ...]\n");
	if (status == EXIT_DONE) {
		fprintf(f, "\n");
		cmd_usage(f);
	} else
		fprintf(f, "relayctl -h prints the commands\n");
	exit(status);
}

static unsigned
number(const char *s, unsigned most)
{
	const char	*wrong;
	long long	 n = strtonum(s, 1, most, &wrong);

	if (wrong != NULL) {
		fprintf(stderr, "relayctl: a number from 1 to %u is expected\n",
		    most);
		exit(EXIT_USAGE);
	}
	return ((unsigned)n);
}

/* Behind `top` -n is another one, and there is -d. */
static void
option_top(int ch)
{
	if (ch == 'd')
		ctl.seconds = number(optarg, TOP_MOST);
	else if (ch == 'n')
		ctl.times = number(optarg, INT_MAX);
	else
		usage(EXIT_USAGE);
}

/* Take the options, wherever they stand; how many words are left in argv. */
static int
options(int argc, char **argv)
{
	static const struct option	longer[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 }
	};
	int				ch, n = 0, is_top = 0;

	while (optind < argc) {
		ch = getopt_long(argc, argv, is_top ? "+d:hn:s:" :
		    "+fhjns:w", longer, NULL);
		if (ch == -1) {
			if (strcmp(argv[optind - 1], "--") == 0)
				break;
			if (optind < argc)
				argv[n++] = argv[optind++];
			is_top = n > 0 && strcmp(argv[0], "top") == 0;
			continue;
		}
		if (is_top && ch != 'V' && ch != 'h' && ch != 's') {
			option_top(ch);
			continue;
		}
		switch (ch) {
		case 'V':
			printf("relayctl %s\n", RELAYD_VERSION);
			exit(EXIT_DONE);
		case 'f':
			ctl.force = 1;
			break;
		case 'h':
			usage(EXIT_DONE);
		case 'j':
			ctl.json = 1;
			break;
		case 'n':
			ctl.exact = 1;
			break;
		case 's':
			ctl.path = optarg;
			break;
		case 'w':
			ctl.wide = 1;
			break;
		default:
			usage(EXIT_USAGE);
		}
	}
	while (optind < argc)
		argv[n++] = argv[optind++];
	return (n);
}

/* Columns of the screen; 0: standard output is none. */
static size_t
screen_width(void)
{
	struct winsize	ws;

	if (!isatty(STDOUT_FILENO))
		return (0);
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == -1 || ws.ws_col == 0)
		return (80);
	return (ws.ws_col);
}

int
main(int argc, char **argv)
{
	static struct conf	defaults;
	struct cmd_line		*line = &ctl.line;
	char			err[1024], shown[2048], **words;

	setlocale(LC_CTYPE, "");
	conf_init(&defaults);
	ctl.path = defaults.control_path;
	ctl.seconds = TOP_SECONDS;
	if (argc >= 3 && strcmp(argv[1], "completion") == 0 &&
	    strcmp(argv[2], "words") == 0)
		return (complete(argc - 3, argv + 3));
	if ((words = relay_words(argc, argv)) != NULL)
		return (run_relay(words));
	argc = options(argc, argv);
	if (argc == 0)
		usage(EXIT_USAGE);
	if (argc == 1 && strcmp(argv[0], "help") == 0)
		usage(EXIT_DONE);
	if (cmd_parse(argc, argv, line, err, sizeof(err)) == -1) {
		printable_text(shown, sizeof(shown), err);
		fprintf(stderr, "relayctl: %s\n", shown);
		return (EXIT_USAGE);
	}
	if (line->op == 0 && strcmp(argv[0], "top") == 0 && ctl.json)
		usage(EXIT_USAGE);
	if (line->op == 0 && strcmp(argv[0], "top") == 0)
		top(ctl.path, ctl.seconds, ctl.times);
	if (line->op == 0 && strncmp(argv[0], "st", 2) == 0)
		return (run_helper("storecopy", line));
	if (line->op == 0 && strncmp(argv[0], "do", 2) == 0)
		return (run_helper("doctor", line));
	if (line->op == 0) {
		fputs(complete_script(argv[1]), stdout);
		return (EXIT_DONE);
	}
	if (ctl_info(line->op)->flags & CTL_FOLLOWS) {
		ctl.follow = ctl.force;
		ctl.force = 0;
	}
	ask();
}

/*
 * connect or terminal ...: an operator's work, which relay(1) does, with a
 * token and from anywhere. What stands behind our options, which mean nothing
 * there, and one place before it; or NULL.
 */
static char **
relay_words(int argc, char **argv)
{
	static char	connect[] = "connect", terminal[] = "terminal";
	size_t		len;
	int		i;

	for (i = 1; i < argc && argv[i][0] == '-' && argv[i][1] != '-'; i++)
		if (argv[i][strlen(argv[i]) - 1] == 's')
			i++;
	/* With three letters they are no other command's. */
	if (i >= argc || (len = strlen(argv[i])) < 3)
		return (NULL);
	if (strncmp(connect, argv[i], len) == 0)
		argv[i] = connect;
	else if (strncmp(terminal, argv[i], len) == 0)
		argv[i] = terminal;
	else
		return (NULL);
	return (argv + i - 1);
}

/* What lies at `name` from where we are, if it is there. */
static void
run_beside(const char *name, char **argv)
{
	char	path[1024];
	ssize_t	n = readlink("/proc/self/exe", path, sizeof(path) - 32);

	if (n <= 0)
		return;
	path[n] = '\0';
	strlcpy(strrchr(path, '/') + 1, name, 32);
	(void)execv(path, argv);
}

/*
 * store copy ...: without relayd, which must not be there; in a program that
 * has both engines, as this one has none. doctor: likewise, with the grammar.
 */
static int
run_helper(const char *name, const struct cmd_line *line)
{
	static char	json[] = "-j";
	char		path[1024], *argv[8];
	unsigned	i, n = 0;

	argv[n++] = (char *)(uintptr_t)name;
	if (ctl.json)
		argv[n++] = json;
	for (i = 0; i < line->nwords; i++)
		argv[n++] = (char *)(uintptr_t)line->words[i];
	argv[n] = NULL;
	snprintf(path, sizeof(path), "../libexec/%s", name);
	run_beside(path, argv);
	snprintf(path, sizeof(path), "%s/%s", RELAYD_LIBEXECDIR, name);
	(void)execv(path, argv);
	fprintf(stderr, "relayctl: %s: %s\n", path, strerror(errno));
	return (EXIT_UNREACHED);
}

/* The one next to us, if it is there. */
static int
run_relay(char **argv)
{
	argv[0] = (char *)(uintptr_t)"relay";
	run_beside("relay", argv);
	(void)execv(RELAY_PROGRAM, argv);
	(void)execvp("relay", argv);
	fprintf(stderr, "relayctl: that is done by relay(1), which is not "
	    "here: %s\n", strerror(errno));
	return (EXIT_UNREACHED);
}

/*
 * completion words ...: what the shell asks as a user types. relayd is asked,
 * too, where it knows: for a moment, and it is no matter if it does not answer.
 */
static int
complete(int argc, char **argv)
{
	char	arg[CMD_ARG_SIZE];

	ctl.quiet = 1;
	argc = complete_options(argc, argv, &ctl.path);
	if (argc == 0)
		return (EXIT_DONE);
	ctl.begin = argv[argc - 1];
	if (ctl.begin[0] == '-') {
		complete_flags(strcmp(argv[0], "top") == 0, ctl.begin,
		    stdout);
		return (EXIT_DONE);
	}
	cmd_complete(argc, argv, stdout, arg);
	if ((ctl.ids = complete_asks(arg)) == NULL)
		return (EXIT_DONE);
	ctl.line.op = ctl.ids->op;
	if (ctl_info(ctl.line.op)->words > 0) {	/* of what stands before */
		ctl.line.nwords = 1;
		strlcpy(ctl.line.words[0], argv[argc - 2],
		    sizeof(ctl.line.words[0]));
	}
	ask();
}

/* In the protocol of now, or of a relayd before this one. */
static void
reach_in(unsigned protocol)
{
	ctl.protocol = protocol;
	ctl.chan = chan_new(ctl.base, reach(ctl.path, ctl.quiet), ROLE_CONTROL,
	    table, sizeof(table) / sizeof(table[0]), on_closed, NULL);
	if (ctl.chan == NULL) {
		fprintf(stderr, "relayctl: out of memory\n");
		exit(EXIT_REFUSED);
	}
	chan_speak(ctl.chan, protocol);
	chan_hear(ctl.chan, protocol);
}

static void
ask(void)
{
	signal(SIGPIPE, SIG_IGN);
	if ((ctl.base = event_base_new()) == NULL) {
		fprintf(stderr, "relayctl: out of memory\n");
		exit(EXIT_REFUSED);
	}
	clock_init(ctl.base);
	reach_in(PROTOCOL);
	timer_init(&ctl.deadline, on_late, NULL);
	timer_init(&ctl.next, look, NULL);
	look(NULL);
	event_base_dispatch(ctl.base);
	finish(EXIT_UNREACHED);
}

static uint64_t
answer_ms(void)
{
	return (ctl_info(ctl.line.op)->flags & CTL_LONG ? CTL_LONG_MS +
	    ANSWER_MS : ANSWER_MS);
}

/* Ask, once or once more. */
static void
look(void *arg)
{
	struct msg_ctl	ask = { .version = CTL_VERSION,
	    .op = (uint16_t)ctl.line.op, .force = (uint8_t)ctl.force };
	unsigned	i;

	(void)arg;
	if (ctl.chan == NULL)
		reach_in(ctl.protocol);
	if ((ctl.rows = rows_new()) == NULL) {
		fprintf(stderr, "relayctl: out of memory\n");
		exit(EXIT_REFUSED);
	}
	timer_set(&ctl.deadline, ctl.quiet ? COMPLETE_MS : answer_ms());
	for (i = 0; i < ctl.line.nwords; i++)
		ask.words.v[ask.words.n++] = ctl.line.words[i];
	(void)say_ctl(ctl.chan, 1, -1, &ask);
}

static void
finish(int status)
{
	rows_free(ctl.rows);
	if (fflush(stdout) == EOF && status == EXIT_DONE) {
		fprintf(stderr, "relayctl: standard output: %s\n",
		    strerror(errno));
		status = EXIT_REFUSED;
	}
	_exit(status);
}

static int
on_row(struct chan *c, struct imsg *m)
{
	struct msg_ctl_row	row;
	uint32_t		i;

	(void)c;
	ctl.heard = 1;
	if (get_ctl_row(m, &row) == -1 ||
	    rows_add(ctl.rows, row.cells.n) == -1)
		return (-1);
	for (i = 0; i < row.cells.n; i++)
		if (rows_cell(ctl.rows, row.cells.v[i]) == -1)
			return (-1);
	return (0);
}

/*
 * Would a terminal take it for more than text? Controls, and those of U+0080 to
 * U+009F, which are two bytes: the first is printed before the next is known.
 */
static int
is_control(uint8_t before, uint8_t b)
{
	if (before == 0xc2 && b >= 0x80 && b < 0xa0)
		return (1);
	return ((b < 0x20 && b != '\n') || b == 0x7f);
}

/* As it is, but for those. */
static int
on_text(struct chan *c, struct imsg *m)
{
	static uint8_t		before;		/* also of the part before */
	struct msg_ctl_text	in;
	const uint8_t		*p;
	size_t			i;

	(void)c;
	if (get_ctl_text(m, &in) == -1)
		return (-1);
	for (p = in.bytes.p, i = 0; i < in.bytes.len; i++) {
		putchar(is_control(before, p[i]) ? '?' : p[i]);
		before = p[i];
	}
	ctl.part += in.bytes.len;
	return (0);
}

/* Behind this part, until there is none. */
static void
next_part(void)
{
	char		*from = ctl.line.words[ctl.line.nwords - 1];
	uint64_t	 at = strtoull(from, NULL, 10) + ctl.part;

	if (ctl.part == 0 || ferror(stdout))
		finish(EXIT_DONE);
	snprintf(from, sizeof(ctl.line.words[0]), "%llu",
	    (unsigned long long)at);
	ctl.part = 0;
	rows_free(ctl.rows);
	look(NULL);
}

static void
print(const char *said)
{
	const char	*last = rows_last(ctl.rows);
	size_t		 width;

	/* A screen may have no room for the column that it is in. */
	strlcpy(ctl.last, last != NULL ? last : "", sizeof(ctl.last));
	if (ctl.looks > 0 && last == NULL)
		return;
	if (ctl.json) {
		if ((ctl.follow ? rows_json_lines(ctl.rows, stdout) :
		    rows_json(ctl.rows, &ctl.printed, stdout)) == -1) {
			fprintf(stderr, "relayctl: out of memory\n");
			finish(EXIT_REFUSED);
		}
		if (said[0] != '\0')
			fprintf(stderr, "relayctl: %s\n", said);
		return;
	}
	if (!ctl.wide && (width = screen_width()) > 0)
		rows_fit(ctl.rows, width, ctl.exact, clock_wall());
	rows_table(ctl.rows, ctl.looks == 0, stdout);
	if (said[0] != '\0')
		printf("%s\n", said);
}

/*
 * Of what can be followed there may be more behind the rows that came, if it
 * was asked for all that comes behind one; with -f there will be.
 */
static int
goes_on(void)
{
	return (ctl.follow || (ctl.last[0] != '\0' &&
	    (ctl_info(ctl.line.op)->flags & CTL_FOLLOWS) &&
	    ctl.line.words[0][0] != '\0'));
}

/* Behind the last row from now on; its first cell names it. */
static void
follow(void)
{
	if (ctl.last[0] != '\0')
		strlcpy(ctl.line.words[0], ctl.last,
		    sizeof(ctl.line.words[0]));
	else if (ctl.line.words[0][0] == '\0')
		strlcpy(ctl.line.words[0], "0", sizeof(ctl.line.words[0]));
	timer_set(&ctl.next, ctl.last[0] != '\0' ? 0 : FOLLOW_MS);
	rows_free(ctl.rows);
	ctl.rows = NULL;
	ctl.looks++;
	if (fflush(stdout) == EOF)
		finish(EXIT_DONE);
	timer_del(&ctl.deadline);
}

/* drain: how it stands, once more, in a moment. */
static void
drain_next(void)
{
	rows_free(ctl.rows);
	ctl.rows = NULL;
	timer_set(&ctl.next, DRAIN_MS);
	timer_del(&ctl.deadline);
}

/*
 * Is there more to wait for? Whoever answers may be replaced meanwhile, by an
 * upgrade or by a fault: relayd itself knows that it drains.
 */
static int
drain_goes_on(unsigned code)
{
	const char	*state = rows_last(ctl.rows);

	if (code != 0)
		return (code == 503 && ++ctl.lost < LOST_MAX);
	ctl.lost = 0;
	return (state != NULL && strcmp(state, "draining") == 0);
}

/* What it has come to, behind its row. */
static void
drain_end(void)
{
	if (ctl.json)
		rows_json_end(ctl.printed, stdout);
	if (strcmp(ctl.last, "drained") == 0)
		finish(EXIT_DONE);
	fflush(stdout);
	fprintf(stderr, "relayctl: %s\n", strcmp(ctl.last, "late") == 0 ?
	    "the time is over, and not all have gone" : "it was cancelled");
	finish(EXIT_REFUSED);
}

/* The last word: print everything. */
static int
on_done(struct chan *c, struct imsg *m)
{
	struct msg_ctl_done	 in;
	char			 shown[4 * MESSAGE_SIZE + 32];

	(void)c;
	if (get_ctl_done(m, &in) == -1)
		return (-1);
	if (ctl.quiet) {
		if (in.code == 0)
			complete_rows(ctl.ids, ctl.rows, ctl.begin, stdout);
		finish(EXIT_DONE);
	}
	if (ctl.line.op == CTL_DRAIN && in.code == 0) {
		ctl.line.op = CTL_SHOW_DRAIN;
		ctl.line.nwords = 0;
		ctl.drains = 1;
		drain_next();
		return (0);
	}
	if (ctl.drains && drain_goes_on(in.code)) {
		drain_next();
		return (0);
	}
	printable_text(shown, sizeof(shown), in.text);
	if (in.code == CTL_BROKEN) {
		print("");
		if (ctl.json)
			rows_json_end(ctl.printed, stdout);
		fflush(stdout);
		fprintf(stderr, "relayctl: %s\n", shown);
		finish(EXIT_REFUSED);
	}
	if (in.code != 0) {
		if (!ctl.json || refusal_json(in.code, in.text, stderr) == -1)
			fprintf(stderr, "relayctl: refused: %s\n", shown);
		finish(EXIT_REFUSED);
	}
	if (ctl_info(ctl.line.op)->flags & CTL_PARTS) {
		next_part();
		return (0);
	}
	print(shown);
	if (ctl.drains)
		drain_end();
	if (goes_on()) {
		follow();
		return (0);
	}
	if (ctl.json)
		rows_json_end(ctl.printed, stdout);
	finish(EXIT_DONE);
	return (0);
}

static void
on_closed(struct chan *c, int offence, const char *reason)
{
	if (ctl.drains && !offence && ++ctl.lost < LOST_MAX) {
		chan_free(c);
		ctl.chan = NULL;
		drain_next();
		return;
	}
	/* Before an upgrade it may be an older one: it said nothing to ours. */
	if (!ctl.heard && ctl.protocol == PROTOCOL &&
	    proto_is_known(PROTOCOL - 1) && PROTOCOL > 1) {
		chan_free(c);
		rows_free(ctl.rows);
		reach_in(PROTOCOL - 1);
		look(NULL);
		return;
	}
	if (!ctl.quiet)
		fprintf(stderr, "relayctl: no answer: %s\n", offence ?
		    "relayd and relayctl do not understand each other" :
		    reason);
	finish(EXIT_UNREACHED);
}

static void
on_late(void *arg)
{
	(void)arg;
	if (!ctl.quiet)
		fprintf(stderr, "relayctl: no answer within %d s\n",
		    (int)(answer_ms() / 1000));
	finish(EXIT_UNREACHED);
}
