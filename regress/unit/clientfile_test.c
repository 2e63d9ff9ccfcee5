/* SPDX-License-Identifier: ISC */
/* tunnel-client's configuration file: its lines, and what is refused. */
#include <sys/stat.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tunnel-client/client.h"
#include "tunnel-client/conffile.h"
#include "base/log.h"
#include "regress/lib/tap.h"

static char	path[] = "/tmp/clientfile.XXXXXX";
static char	said[4096];		/* on standard error */

/* One line alone: "word|value", "word" without a value, or "-why". */
static void
line_is(const char *line, const char *want)
{
	struct conffile	 f;
	char		 text[256], got[512], *word, *value;
	const char	*why;
	int		 r;

	snprintf(text, sizeof(text), "\n# first\n  \t\n%s\n", line);
	conffile_begin(&f, text);
	r = conffile_next(&f, &word, &value, &why);
	if (r == 1)
		snprintf(got, sizeof(got), "%s%s%s", word, value == NULL ? "" :
		    "|", value == NULL ? "" : value);
	else
		snprintf(got, sizeof(got), "%s", r == 0 ? "nothing" : why);
	is_str(got, want, "%s", line);
	is_int(f.line, r == 0 ? 5 : 4, "  its number");
}

static void
lines(void)
{
	static const char *const v[][2] = {
		{ "url wss://x/", "url|wss://x/" },
		{ "  url\t \twss://x/  ", "url|wss://x/" },
		{ "url=wss://x/", "url|wss://x/" },
		{ "url = wss://x/\r", "url|wss://x/" },
		{ "url==", "url|=" },
		{ "url wss://x/#y # z", "url|wss://x/#y" },
		{ "exclude a b", "exclude|a b" },
		{ "exclude \"a # b\" # c", "exclude|a # b" },
		{ "exclude \"a \\\" \\\\ \\n\"", "exclude|a \" \\ \\n" },
		{ "exclude \"\"", "exclude|" },
		{ "exclude =", "exclude|" },
		{ "no-terminal", "no-terminal" },
		{ "no-terminal # word", "no-terminal" },
		{ "no-terminal#word", "no-terminal" },
		{ "# url", "nothing" },
		{ "url \"x", "a quote is not closed" },
		{ "url \"x\\\"", "a quote is not closed" },
		{ "url \"x\" y", "something stands behind the quotes" },
		{ "URL x", "a word expected, then its value" },
		{ "= x", "a word expected, then its value" },
		{ "url:x", "a word expected, then its value" },
		{ "url x\001y", "has a control character" },
		{ "url x\ry", "has a control character" },
		{ "url \177", "has a control character" },
	};
	size_t	i;

	for (i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		line_is(v[i][0], v[i][1]);
}

static int
read_file(struct options *o, const char *text, mode_t mode)
{
	char	 a0[] = "tunnel-client", a1[64], *argv[] = { a0, a1, NULL };
	char	*envp[] = { NULL };
	FILE	*f = fopen(path, "w"), *err = tmpfile();
	int	 saved = dup(STDERR_FILENO), r;

	snprintf(a1, sizeof(a1), "--config=%s", path);
	if (f == NULL || err == NULL || fputs(text, f) == EOF ||
	    fclose(f) == EOF || chmod(path, mode) == -1)
		abort();
	dup2(fileno(err), STDERR_FILENO);
	r = options_read(o, 2, argv, envp);
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(err);
	said[fread(said, 1, sizeof(said) - 1, err)] = '\0';
	(void)fclose(err);
	return (r);
}

#define REQUIRED	"url wss://x/\nkey K\n"

static void
refused(const char *text, mode_t mode, const char *why)
{
	struct options	o;
	char		want[256];

	is_int(read_file(&o, text, mode), -1, "refused: %s", why);
	snprintf(want, sizeof(want), "%s%s", path, why);
	ok(strstr(said, want) != NULL, "with file, line and reason");
	if (strstr(said, want) == NULL)
		printf("# %s\n", said);
	options_clear(&o);
}

static void
refusals(void)
{
	struct options	o;

	refused("url wss://x/\n\nurll wss://x/\n", 0600,
	    ":3: urll: no such option");
	refused("config /etc/x\n", 0600, ":1: config: no such option");
	refused("check\n", 0600, ":1: check: no such option");
	refused("# 1\nreconnect-delay soon\n", 0600,
	    ":2: reconnect-delay: a duration such as 90s or 5m expected, got "
	    "\"soon\"");
	refused("no-terminal maybe\n", 0600,
	    ":1: no-terminal: true or false expected, got \"maybe\"");
	refused("url\n", 0600, ":1: url: a value is missing");
	refused("url a\nkey K\nurl b\n", 0600,
	    ":3: url: is set in line 1 already");
	refused("secret a\nsecret-file b\n", 0600,
	    ":2: secret-file: is set in line 1 already");
	refused("key K\nurl \"x\n", 0600, ":2: a quote is not closed");
	refused(REQUIRED "secret S\n", 0604,
	    ":3: secret: others may read this file: chmod o-rwx it");
	refused(REQUIRED "secret S\n", 0620,
	    ": others may change it: chmod go-w");
	refused(REQUIRED "secret S\n", 0602,
	    ": others may change it: chmod go-w");
	refused("proxy http://u:p@x\n", 0644,
	    ":1: proxy: others may read this file with the password");
	is_int(read_file(&o, REQUIRED "secret S\n", 0640), 0,
	    "a group may read it");
	options_clear(&o);
	is_int(read_file(&o, REQUIRED "node-id 7", 0644), -1,
	    "without a secret it is not complete");
	ok(strstr(said, "--secret-file or SYSTEM_SECRET is required") != NULL,
	    "which is no fault of the file");
	options_clear(&o);
}

static void
lists(void)
{
	struct options	o;

	is_int(read_file(&o, REQUIRED "secret S\n"
	    "static-services a=b:1, c=d:2\nexclude x*\n"
	    "static-services e=f:3\nexclude y*\n", 0600), 0, "lists");
	is_str(o.static_services, "a=b:1, c=d:2,e=f:3", "services are joined");
	is_str(o.exclude, "x*,y*", "and patterns");
	options_clear(&o);
}

static void
absent(void)
{
	char		 a0[] = "tunnel-client", a1[] = "--config=/nonexistent";
	char		 a2[] = "--version", none[] = "--config=";
	char		 e0[] = "SUPPORT_URL=wss://x/", e1[] = "SYSTEM_KEY=K",
			 e2[] = "SYSTEM_SECRET=S";
	char		*argv[] = { a0, a1, NULL, NULL }, *empty[] = { NULL };
	char		*envp[] = { e0, e1, e2, NULL };
	struct options	 o;

	is_int(options_read(&o, 2, argv, empty), -1, "a file that was asked "
	    "for has to be there");
	options_clear(&o);
	snprintf(a1, sizeof(a1), "--config=/nonexistent");
	argv[2] = a2;
	is_int(options_read(&o, 3, argv, empty), 1, "help is there without");
	options_clear(&o);
	argv[1] = none;
	argv[2] = NULL;
	is_int(options_read(&o, 2, argv, envp), 0, "an empty name: no file");
	options_clear(&o);
}

int
main(void)
{
	int	fd = mkstemp(path);

	if (fd == -1)
		abort();
	close(fd);
	log_init("clientfile_test", -1, 0);
	lines();
	refusals();
	lists();
	absent();
	unlink(path);
	return (done_testing());
}
