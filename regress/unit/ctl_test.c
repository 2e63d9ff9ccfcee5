/* SPDX-License-Identifier: ISC */
/* relayctl: commands, completion, output, the manual; control's check. */
#include <ctype.h>
#include <errno.h>

#include "base/compat.h"
#include "imsg/imsg.h"
#include "relayctl/cmd.h"
#include "relayctl/output.h"
#include "ctl/ctl.h"
#include "regress/lib/tap.h"

#define ARGS_MAX	24

/* Split at blanks; '~' stands for an empty word. */
static int
split(const char *text, char *copy, size_t size, char **argv)
{
	char	*s, *rest = copy;
	int	 n = 0;

	strlcpy(copy, text, size);
	while ((s = strsep(&rest, " ")) != NULL) {
		if (strcmp(s, "~") == 0)
			s++;
		argv[n++] = s;
	}
	return (text[0] == '\0' ? 0 : n);
}

/* "op: word|word", or "error: text". */
static void
parse(const char *text, char *out, size_t size)
{
	static struct cmd_line	 line;
	char			 copy[2048], err[1024], *argv[ARGS_MAX];
	unsigned		 i;
	int			 argc = split(text, copy, sizeof(copy), argv);

	if (cmd_parse(argc, argv, &line, err, sizeof(err)) == -1) {
		snprintf(out, size, "error: %s", err);
		return;
	}
	snprintf(out, size, "%u:", line.op);
	for (i = 0; i < line.nwords; i++) {
		strlcat(out, i == 0 ? " " : "|", size);
		strlcat(out, line.words[i], size);
	}
}

static void
commands(void)
{
	static const struct {
		const char	*text;
		unsigned	 op;
		const char	*words;
	} good[] = {
		{ "show sessions", CTL_SHOW_SESSIONS, "" },
		{ "sh ses", CTL_SHOW_SESSIONS, "" },
		{ "show services abc", CTL_SHOW_SERVICES, " abc" },
		{ "system add box", CTL_SYSTEM_ADD, " box|" },
		{ "system add box org 7", CTL_SYSTEM_ADD, " box|7" },
		{ "sy ad box o 7", CTL_SYSTEM_ADD, " box|7" },
		{ "org add A type customer", CTL_ORG_ADD, " A|customer|" },
		{ "org add A type customer parent B", CTL_ORG_ADD,
		    " A|customer|B" },
		{ "token create user u", CTL_TOKEN_CREATE, " u||||" },
		{ "token list", CTL_TOKEN_LIST, "" },
		{ "token revoke t", CTL_TOKEN_REVOKE, " t||" },
		{ "token revoke user u for 1h reason r",
		    CTL_TOKEN_REVOKE_USER, " u|r|3600" },
		{ "token revoke use", CTL_TOKEN_REVOKE, " use||" },
		{ "token create user u lifetime 8h permission a role r "
		    "permission b org o", CTL_TOKEN_CREATE,
		    " u|o|r|a,b|28800" },
		{ "token once user u permission a lifetime 1h", CTL_TOKEN_ONCE,
		    " u|||a|3600" },
		{ "token create user u lifetime 7d", CTL_TOKEN_CREATE,
		    " u||||604800" },
		{ "close show", CTL_CLOSE, " show" },
		{ "show streams", CTL_SHOW_STREAMS, "" },
		{ "show audit", CTL_SHOW_AUDIT, " " },
		{ "sh au after 12", CTL_SHOW_AUDIT, " 12" },
		{ "show issuers", CTL_SHOW_ISSUERS, "" },
		{ "show pairing", CTL_SHOW_PAIRING, "" },
		{ "show members", CTL_SHOW_MEMBERS, "" },
		{ "sh pa", CTL_SHOW_PAIRING, "" },
		{ "show penalties", CTL_SHOW_PENALTIES, "" },
		{ "penalty clear 192.0.2.1", CTL_PENALTY_CLEAR, " 192.0.2.1" },
		{ "log v", CTL_LOG_VERBOSE, "" },
		{ "reload", CTL_RELOAD, "" },
		{ "drain", CTL_DRAIN, " " },
		{ "drain time 2m", CTL_DRAIN, " 120" },
		{ "dr t 1h", CTL_DRAIN, " 3600" },
		{ "drain cancel", CTL_DRAIN_CANCEL, "" },
		{ "drain c", CTL_DRAIN_CANCEL, "" },
		{ "show drain", CTL_SHOW_DRAIN, "" },
		{ "drain x", 0, "error: unknown word \"x\"; expected cancel, "
		    "time" },
		{ "drain time", 0, "error: expected <duration> after "
		    "\"time\"" },
		{ "drain cancel x", 0, "error: unexpected word \"x\"" },
		{ "show services", 0, "error: expected <session>" },
		{ "show services ~", 0, "error: <session> is empty" },
		{ "show stats x", 0, "error: unexpected word \"x\"" },
		{ "system add a b", 0, "error: unknown word \"b\"; expected "
		    "org" },
		{ "system add a org", 0, "error: expected <org> after "
		    "\"org\"" },
		{ "system add a org 1 org 2", 0, "error: \"org\" is given "
		    "twice" },
		{ "org add a kind b", 0, "error: unknown word \"kind\"; "
		    "expected type" },
		{ "token create user u lifetime 8", 0, "error: \"8\" is not a "
		    "duration such as 30m, 8h or 7d" },
		{ "token create user u lifetime h", 0, "error: \"h\" is not a "
		    "duration such as 30m, 8h or 7d" },
		{ "token create user u lifetime 8hh", 0, "error: \"8hh\" is "
		    "not a duration such as 30m, 8h or 7d" },
		{ "token create user u permission a,b", 0, "error: "
		    "<permission> \"a,b\": has a comma" },
	};
	char	out[4096], want[4096];
	size_t	i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		parse(good[i].text, out, sizeof(out));
		if (good[i].op == 0)
			strlcpy(want, good[i].words, sizeof(want));
		else
			snprintf(want, sizeof(want), "%u:%s", good[i].op,
			    good[i].words);
		is_str(out, want, "relayctl %s", good[i].text);
	}
	memset(want, 'a', 600);
	memcpy(want, "close ", 6);
	want[600] = '\0';
	parse(want, out, sizeof(out));
	is_str(out, "error: <session> is too long", "a word that is too long");
}

/* The words of the list that may stand behind `before` and begin so. */
static void
follow(const char *before, const char *begin, const char *glue, char *out,
    size_t size)
{
	char		 word[64], seen[1024] = " ";
	const char	*p;
	size_t		 i;

	out[0] = '\0';
	for (i = 0; i < ncmds; i++) {
		p = cmds[i].pattern;
		if (strncmp(p, before, strlen(before)) != 0)
			continue;
		p += strlen(before);
		if (strncmp(p, begin, strlen(begin)) != 0)
			continue;
		snprintf(word, sizeof(word), " %.*s ", (int)strcspn(p, " "), p);
		if (strstr(seen, word) != NULL)
			continue;
		strlcat(seen, word + 1, sizeof(seen));
		word[strlen(word) - 1] = '\0';
		if (out[0] != '\0')
			strlcat(out, glue, size);
		strlcat(out, word + 1, size);
	}
}

/* What is said of the list is of all of it. */
static void
expected(void)
{
	static const struct {
		const char	*text, *before, *begin, *said;
	} t[] = {
		{ "", "", "", "error: expected " },
		{ "show", "show ", "", "error: expected " },
		{ "show x", "show ", "",
		    "error: unknown word \"x\"; expected " },
		{ "sh se", "show ", "se", "error: \"se\" can be " },
	};
	char	out[4096], want[4096], words[1024];
	size_t	i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		follow(t[i].before, t[i].begin, ", ", words, sizeof(words));
		snprintf(want, sizeof(want), "%s%s", t[i].said, words);
		parse(t[i].text, out, sizeof(out));
		is_str(out, want, "relayctl %s", t[i].text);
	}
	ok(strncmp(words, "sessions, services", 18) == 0, "two or more: %s",
	    words);
}

static void
complete(const char *text, char *dst, size_t size)
{
	char	copy[256], *argv[ARGS_MAX], *out = NULL, *s;
	size_t	len;
	char	 arg[CMD_ARG_SIZE];
	FILE	*f = open_memstream(&out, &len);

	cmd_complete(split(text, copy, sizeof(copy), argv), argv, f, arg);
	if (arg[0] != '\0')
		fprintf(f, "<%s>", arg);
	(void)fclose(f);
	for (s = out; *s != '\0'; s++)
		if (*s == '\n')
			*s = ' ';
	strlcpy(dst, out, size);
	free(out);
}

static void
completion(void)
{
	static const struct {
		const char	*text, *out;
	} t[] = {
		{ "sh", "show " },
		{ "show ses", "sessions " },
		{ "show services ~", "<session>" },
		{ "close ab", "<session>" },
		{ "token revoke u", "user <token>" },
		{ "system add box org ~", "<org>" },
		{ "system add box ~", "org " },
		{ "system add box org 1 ~", "" },
		{ "token create user u ~", "org role permission lifetime " },
		{ "token create user u role r ~",
		    "org permission lifetime " },
		{ "token create user u permission r p", "permission " },
		{ "token create user u permission ~", "<permission>" },
		{ "bogus ~", "" },
	};
	char	out[1024], want[1024];
	size_t	i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		complete(t[i].text, out, sizeof(out));
		is_str(out, t[i].out, "completion of \"%s\"", t[i].text);
	}
	for (i = 0; i < 2; i++) {
		follow(i == 0 ? "" : "show ", "s", " ", want, sizeof(want));
		strlcat(want, " ", sizeof(want));
		complete(i == 0 ? "s" : "show s", out, sizeof(out));
		is_str(out, want, "completion of an s");
	}
}

/* One line of mdoc as a pattern: Cm a Ar b Oo Cm c Ar d Oc Ns ... */
static void
mdoc_pattern(char *line, char *out, size_t size)
{
	char	*word, *rest = line;
	int	 arg = 0, glue = 1;

	out[0] = '\0';
	while ((word = strsep(&rest, " \n")) != NULL) {
		if (strcmp(word, ".It") == 0 || strcmp(word, "Cm") == 0 ||
		    *word == '\0') {
			arg = 0;
			continue;
		}
		if (strcmp(word, "Ar") == 0) {
			arg = 1;
			continue;
		}
		if (strcmp(word, "Oo") == 0) {
			strlcat(out, " [", size);
			glue = 1;
		} else if (strcmp(word, "Oc") == 0)
			strlcat(out, "]", size);
		else if (strcmp(word, "Ns") == 0) {
			glue = 1;
			arg = 0;
		} else {
			strlcat(out, glue ? "" : " ", size);
			strlcat(out, arg ? "<" : "", size);
			strlcat(out, word, size);
			strlcat(out, arg ? ">" : "", size);
			glue = 0;
		}
	}
}

/* Each command has its entry in relayctl.8, and each entry is a command. */
static void
manual(void)
{
	const char	*src = getenv("RELAYD_SRC");
	char		 path[1024], line[1024], pattern[1024];
	int		 seen[64] = { 0 }, unknown = 0;
	size_t		 i;
	FILE		*f;

	snprintf(path, sizeof(path), "%s/man/relayctl.8", src ? src : ".");
	if ((f = fopen(path, "r")) == NULL) {
		ok(0, "%s: %s", path, strerror(errno));
		return;
	}
	while (fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, ".It Cm ", 7) != 0)
			continue;
		mdoc_pattern(line, pattern, sizeof(pattern));
		for (i = 0; i < ncmds; i++)
			if (strcmp(cmds[i].pattern, pattern) == 0)
				break;
		if (i < ncmds)
			seen[i] = 1;
		else if (strncmp(pattern, "test ", 5) != 0) {
			diag("not a command: %s", pattern);
			unknown++;
		}
	}
	(void)fclose(f);
	is_int(unknown, 0, "the manual has no command that is none");
	for (i = 0; i < ncmds; i++)
		ok(seen[i] || strncmp(cmds[i].pattern, "test ", 5) == 0,
		    "in the manual: %s", cmds[i].pattern);
}

static void
printable(void)
{
	static const struct {
		const char	*in, *out;
		size_t		 columns;
	} t[] = {
		{ "plain", "plain", 5 },
		{ "a\033[2Jb", "a\\x1b[2Jb", 9 },
		{ "\xc3\xa9t\xc3\xa9", "\xc3\xa9t\xc3\xa9", 3 },
		{ "\xc2\x9b", "\\xc2\\x9b", 8 },	/* C1 CSI */
		{ "\xff", "\\xff", 4 },
		{ "\xc0\xaf", "\\xc0\\xaf", 8 },	/* overlong */
		{ "\xe2\x80\xae", "\\xe2\\x80\\xae", 12 },	/* RLO */
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80", 12 },	/* surrogate */
		{ "\xe2\x82", "\\xe2\\x82", 8 },	/* cut short */
		{ "\x7f\r\n", "\\x7f\\x0d\\x0a", 12 },
	};
	char	out[128];
	size_t	i, columns;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		columns = printable_text(out, sizeof(out), t[i].in);
		is_str(out, t[i].out, "printable %zu", i);
		is_int(columns, t[i].columns, "and its columns");
	}
	printable_text(out, 20, "0123456789012345678901234567890123456789");
	ok(strlen(out) < 20, "what does not fit is cut");
}

static void
add(struct rows *r, const char *a, const char *b)
{
	if (rows_add(r, 2) == -1 || rows_cell(r, a) == -1 ||
	    rows_cell(r, b) == -1)
		bail_out("out of memory");
}

static struct rows *
rows_of(const char *const *cells, size_t n, size_t columns)
{
	struct rows	*r = rows_new();
	size_t		 i;

	for (i = 0; i < n * columns; i++)
		if ((i % columns == 0 && rows_add(r, columns) == -1) ||
		    rows_cell(r, cells[i]) == -1)
			bail_out("out of memory");
	return (r);
}

static void
fits(const char *const *cells, size_t n, size_t columns, size_t width,
    int exact, const char *want, const char *name)
{
	struct rows	*r = rows_of(cells, n, columns);
	char		*out = NULL;
	size_t		 len;
	FILE		*f = open_memstream(&out, &len);

	rows_fit(r, width, exact, 1000000);
	rows_table(r, 1, f);
	(void)fclose(f);
	is_str(out, want, "%s", name);
	free(out);
	rows_free(r);
}

static void
screen(void)
{
	static const char	*const tunnels[] = {
		"session", "key", "node", "bytes_in", "since", "system",
		"11111111-2222-3333-4444-555555555555", "NETH-1", "-",
		"1572864", "1970-01-12T10:46:40.123Z", "a b\xc3\xb6x",
		"11111111-2999-3333-4444-555555555555", "NETH-2", "-",
		"1023", "1970-01-12T13:46:35.000Z", "c",
	}, *const no_time[] = { "name", "since",
		"a", "-2147483648-01-01T00:00:00Z",
	}, *const secret[] = { "id", "secret", "name",
		"11111111-2222-3333-4444-555555555555", "my_long.secret", "n"
	}, *const texts[] = { "name", "label", "enabled",
		"a name that is long", "a label that is longer, and more", "yes",
		"h\xc3\xb6h\xc3\xb6h\xc3\xb6h\xc3\xb6h\xc3\xb6", "-", "no"
	}, *const events[] = { "event", "time", "action", "outcome", "actor",
		"reason", "address", "count",
		"12", "2026-11-28T00:52:31.796Z", "tcp_ticket", "refused",
		"alice", "service not found in tunnel manifest", "192.0.2.1", "1"
	}, *const metrics[] = { "metric", "labels", "value",
		"relayd_up", "role=\"parent\",more=\"12345678\"", "1" };
	static const struct { int64_t s; const char *text; } ages[] = {
		{ 0, "0s" }, { 99, "99s" }, { 100, "1m" }, { 5999, "99m" },
		{ 6000, "1h" }, { 172799, "47h" }, { 172800, "2d" },
		{ -3600, "in 60m" },
	};
	static const struct { uint64_t n; const char *text; } sizes[] = {
		{ 0, "0B" }, { 1023, "1023B" }, { 1024, "1.0K" },
		{ 1048576, "1.0M" }, { 1048524, "1023.9K" },
		{ 1048575, "1.0M" }, { UINT64_MAX, "16.0E" },
	};
	char	out[32];
	size_t	i;

	for (i = 0; i < sizeof(ages) / sizeof(ages[0]); i++) {
		human_age(out, sizeof(out), ages[i].s);
		is_str(out, ages[i].text, "an age");
	}
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		human_bytes(out, sizeof(out), sizes[i].n);
		is_str(out, sizes[i].text, "a size");
	}
	fits(no_time, 2, 2, 80, 0,
	    "NAME  SINCE\n"
	    "a     -2147483648-01-01T00:00:00Z\n",
	    "what is no time of ours stays as it is");
	fits(tunnels, 3, 6, 80, 0,
	    "SYSTEM  SESSION      NODE  BYTES_IN  SINCE  KEY\n"
	    "a b\xc3\xb6x   11111111-22  -     1.5M      3h     NETH-1\n"
	    "c       11111111-29  -     1023B     5s     NETH-2\n",
	    "names first, ids short but apart, sizes and ages");
	fits(tunnels, 3, 6, 40, 0,
	    "SYSTEM  SESSION      BYTES_IN  SINCE\n"
	    "a b\xc3\xb6x   11111111-22  1.5M      3h\n"
	    "c       11111111-29  1023B     5s\n",
	    "first goes what says nothing, then what is needed least");
	fits(secret, 2, 3, 20, 0, "ID                                    SECRET"
	    "          NAME\n11111111-2222-3333-4444-555555555555  "
	    "my_long.secret  n\n", "a secret is shown whole");
	fits(texts, 3, 3, 30, 0, "NAME                 ENABLED\n"
	    "a name that is long  yes\nh\xc3\xb6h\xc3\xb6h\xc3\xb6h\xc3\xb6"
	    "h\xc3\xb6           no\n", "a label can be spared");
	fits(texts, 3, 3, 18, 0, "NAME       ENABLED\n"
	    "a name th  yes\nh\xc3\xb6h\xc3\xb6h\xc3\xb6h\xc3\xb6"
	    "h  no\n", "a text is cut between characters");
	fits(events, 2, 8, 60, 0,
	    "EVENT  TIME            ACTION      OUTCOME  ACTOR  ADDRESS\n"
	    "12     11-28 00:52:31  tcp_ticket  refused  alice  192.0.2.1\n"
	    "       service not found in tunnel manifest\n",
	    "of an event: when, what, how it ended, who; why, below it");
	fits(events, 2, 8, 50, 0,
	    "TIME            ACTION      OUTCOME  ACTOR\n"
	    "11-28 00:52:31  tcp_ticket  refused  alice\n"
	    "                service not found in tunnel\n"
	    "                manifest\n",
	    "in as many lines as that takes");
	fits(events, 2, 8, 120, 0,
	    "EVENT  TIME            ACTION      OUTCOME  ACTOR  ADDRESS    "
	    "COUNT  REASON\n"
	    "12     11-28 00:52:31  tcp_ticket  refused  alice  192.0.2.1  "
	    "1      service not found in tunnel manifest\n",
	    "beside the others where there is room");
	fits(metrics, 2, 3, 30, 0,
	    "METRIC     LABELS                         VALUE\n"
	    "relayd_up  role=\"parent\",more=\"12345678\"  1\n",
	    "what tells rows apart is not cut");
	fits(tunnels, 3, 6, 200, 1,
	    "SYSTEM  SESSION                               NODE  BYTES_IN  "
	    "SINCE                     KEY\n"
	    "a b\xc3\xb6x   11111111-2222-3333-4444-555555555555  -     "
	    "1572864   1970-01-12T10:46:40.123Z  NETH-1\n"
	    "c       11111111-2999-3333-4444-555555555555  -     "
	    "1023      1970-01-12T13:46:35.000Z  NETH-2\n", "exact");
	fits(texts, 3, 3, 18, 1,
	    "NAME                 LABEL                             ENABLED\n"
	    "a name that is long  a label that is longer, and more  yes\n"
	    "h\xc3\xb6h\xc3\xb6h\xc3\xb6h\xc3\xb6h\xc3\xb6           "
	    "-                                 no\n",
	    "exact is never cut");
}

static void
usage_fits(void)
{
	char	*out = NULL, *s;
	size_t	 len, n, widest = 0;
	FILE	*f = open_memstream(&out, &len);

	cmd_usage(f);
	(void)fclose(f);
	for (s = out; *s != '\0'; s += n + (s[n] == '\n'))
		if ((n = strcspn(s, "\n")) > widest)
			widest = n;
	ok(widest > 60 && widest < 80, "the usage fits a screen (%zu)", widest);
	ok(strstr(out, "  system list ") < strstr(out, "  system rotate ") &&
	    strstr(out, "  system rotate ") < strstr(out, "  org add "),
	    "commands of one kind stand together");
	free(out);
}

static void
json(const struct rows *r, FILE *f)
{
	unsigned long	before = 0;

	(void)rows_json(r, &before, f);
	rows_json_end(before, f);
}

static void
output(void)
{
	static const char *const	typed[][7] = {
		{ "name", "streams", "rtt_ms", "uptime", "memory", "node",
		    "value" },
		{ "-", "3", "1.5", "1h05m9s", "2048K", "-", "up" },
	};
	struct rows	*r = rows_new();
	char		*out = NULL;
	size_t		 len, i;
	FILE		*f;

	f = open_memstream(&out, &len);
	rows_table(r, 1, f);
	json(r, f);
	(void)fclose(f);
	is_str(out, "[]\n", "no rows");
	free(out);
	add(r, "name", "value");
	add(r, "longer than", "b\033");
	add(r, "a", "\"q\"\xff");
	is_int(rows_cell(r, "x"), -1, "no cell beyond what was announced");
	f = open_memstream(&out, &len);
	rows_table(r, 1, f);
	(void)fclose(f);
	is_str(out, "NAME         VALUE\nlonger than  b\\x1b\n"
	    "a            \"q\"\\xff\n", "table");
	free(out);
	f = open_memstream(&out, &len);
	json(r, f);
	(void)fclose(f);
	is_str(out, "[\n{\"name\":\"longer than\",\"value\":\"b\\u001b\"},\n"
	    "{\"name\":\"a\",\"value\":\"\\\"q\\\"\\\\xff\"}\n]\n", "JSON");
	free(out);
	f = open_memstream(&out, &len);
	i = 0;
	rows_json(r, &i, f);
	rows_json(r, &i, f);
	rows_json_end(i, f);
	(void)fclose(f);
	is_str(out, "[\n{\"name\":\"longer than\",\"value\":\"b\\u001b\"},\n"
	    "{\"name\":\"a\",\"value\":\"\\\"q\\\"\\\\xff\"},\n"
	    "{\"name\":\"longer than\",\"value\":\"b\\u001b\"},\n"
	    "{\"name\":\"a\",\"value\":\"\\\"q\\\"\\\\xff\"}\n]\n",
	    "JSON in parts");
	free(out);
	f = open_memstream(&out, &len);
	rows_json_lines(r, f);
	(void)fclose(f);
	is_str(out, "{\"name\":\"longer than\",\"value\":\"b\\u001b\"}\n"
	    "{\"name\":\"a\",\"value\":\"\\\"q\\\"\\\\xff\"}\n", "and in lines");
	free(out);
	rows_free(r);
	r = rows_new();
	rows_add(r, 7);
	for (i = 0; i < 7; i++)
		rows_cell(r, typed[0][i]);
	rows_add(r, 7);
	for (i = 0; i < 7; i++)
		rows_cell(r, typed[1][i]);
	f = open_memstream(&out, &len);
	json(r, f);
	(void)fclose(f);
	is_str(out, "[\n{\"name\":\"-\",\"streams\":3,\"rtt_ms\":1.5,"
	    "\"uptime\":3909,\"memory\":2097152,\"node\":null,"
	    "\"value\":\"up\"}\n]\n", "each of its type");
	free(out);
	f = open_memstream(&out, &len);
	refusal_json(404, "no \"x\"", f);
	(void)fclose(f);
	is_str(out, "{\"code\":404,\"error\":\"no \\\"x\\\"\"}\n", "a refusal");
	free(out);
	rows_free(r);
	rows_free(NULL);
}

/* Every pattern's words pass control's check; others do not. */
static void
check(void)
{
	static struct cmd_line	line;
	struct msg_ctl		ctl = { .op = 0 };
	char			err[1024], copy[256], *argv[ARGS_MAX];
	size_t			i, n;
	int			argc;

	for (i = 0; i < ncmds; i++) {
		if (cmds[i].op == 0)
			continue;
		n = strcspn(cmds[i].pattern, "[");
		snprintf(copy, sizeof(copy), "%.*s", (int)n,
		    cmds[i].pattern);
		while (n > 0 && copy[n - 1] == ' ')
			copy[--n] = '\0';
		for (n = 0; copy[n] != '\0'; n++)
			if (copy[n] == '<' || copy[n] == '>')
				copy[n] = '1';
		for (n = 0; copy[n] != '\0'; n++)	/* <ms> is a number */
			if (strncmp(copy + n, "1ms1", 4) == 0 ||
			    strncmp(copy + n, "1instance1", 10) == 0)
				while (copy[n] != '\0' && copy[n] != ' ')
					copy[n++] = '1';
		strlcpy(err, copy, sizeof(err));
		argc = split(err, copy, sizeof(copy), argv);
		if (cmd_parse(argc, argv, &line, err, sizeof(err)) == -1) {
			ok(0, "%s: %s", cmds[i].pattern, err);
			continue;
		}
		ctl.op = (uint16_t)line.op;
		ctl.words.n = line.nwords;
		is_str(ctl_check(ctl.op, ctl.words.n), NULL, "control takes: %s",
		    cmds[i].pattern);
		ctl.words.n++;
		ok(ctl_check(ctl.op, ctl.words.n) != NULL, "but not with a word more");
		ok(strncmp(ctl_name(ctl.op), cmds[i].pattern,
		    strlen(ctl_name(ctl.op))) == 0, "and knows its name");
	}
	ctl.op = CTL_OP_COUNT;
	ok(ctl_check(ctl.op, ctl.words.n) != NULL, "a request of tomorrow");
	ctl.op = 0;
	ok(ctl_check(ctl.op, ctl.words.n) != NULL, "no request");
	ok(ctl_info(CTL_RELOAD)->role == ROLE_PARENT &&
	    ctl_info(CTL_CLOSE)->role == ROLE_AUTHD && ctl_info(99999) == NULL,
	    "who answers what");
}

static int
ctl_get(const struct imsg *m, struct msg_ctl *ctl)
{
	return (msg_get(IMSG_CTL, m->p, (size_t)(m->end - m->p), ctl));
}

/* A CTL as bytes, whole and cut short at each length. */
static void
bytes(void)
{
	struct msg_ctl		 ctl;
	uint8_t			 buf[64];
	struct imsg		 m;
	size_t			 len = 0, cut;
	uint32_t		 version = CTL_VERSION, n = 3;
	uint16_t		 op = CTL_CLOSE;
	const char		*reason;
	int			 bad = 0;

	memset(buf, 1, IMSG_HDR);
	len = IMSG_HDR;
	memcpy(buf + len, &version, 4);
	memcpy(buf + len + 4, &op, 2);
	memset(buf + len + 6, 0, 5);
	buf[len + 11] = 1;
	memcpy(buf + len + 12, &n, 4);
	memcpy(buf + len + 16, "abc", 4);
	len += 20;
	imsg_parse(&m, buf, len, &reason);
	is_int(ctl_get(&m, &ctl), 0, "a whole request");
	is_str(ctl.words.v[0], "abc", "its word");
	for (cut = IMSG_HDR; cut < len; cut++) {
		imsg_parse(&m, buf, cut, &reason);
		bad += ctl_get(&m, &ctl) == -1;
	}
	is_int(bad, (int)(len - IMSG_HDR), "each cut is malformed");
	buf[len] = 0;
	imsg_parse(&m, buf, len + 1, &reason);
	is_int(ctl_get(&m, &ctl), -1, "a byte more is malformed");
	buf[IMSG_HDR + 11] = CTL_ARGS_MAX + 1;
	imsg_parse(&m, buf, len, &reason);
	is_int(ctl_get(&m, &ctl), -1, "too many words");
}

int
main(void)
{
	commands();
	expected();
	completion();
	printable();
	screen();
	usage_fits();
	output();
	check();
	bytes();
	manual();
	return (done_testing());
}
