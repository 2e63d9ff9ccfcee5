/* SPDX-License-Identifier: ISC */
/* The log: levels, the packet to the parent, lost lines, escaping. */
#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "regress/lib/tap.h"

static int	parent;		/* its end of the log channel */

/* The next line; its level, or -1 when there is none. */
static int
next(char *text, size_t size)
{
	ssize_t	n = recv(parent, text, size - 1, MSG_DONTWAIT);

	if (n < 1)
		return (-1);
	text[n] = '\0';
	n = (unsigned char)text[0];
	memmove(text, text + 1, strlen(text + 1) + 1);
	return ((int)n);
}

static void
test_lines(void)
{
	char	text[4096], longer[3000];

	log_info("one %d", 1);
	is_int(next(text, sizeof(text)), LOG_LEVEL_INFO, "a line has its level");
	is_str(text, "one 1", "and its text");
	log_debug("hidden");
	is_int(next(text, sizeof(text)), -1, "debug is silent");
	log_verbose(1);
	log_debug("shown");
	is_int(next(text, sizeof(text)), LOG_LEVEL_DEBUG, "unless asked for");
	log_verbose(0);
	errno = ENOENT;
	log_warn("file");
	is_int(errno, ENOENT, "errno survives");
	(void)next(text, sizeof(text));
	is_str(text, "file: No such file or directory", "and is told");
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	errno = ENOENT;
	log_warn("%s", longer);
	is_int(next(text, sizeof(text)), LOG_LEVEL_WARN, "a long line");
	ok(strlen(text) <= LOG_LINE_MAX, "is cut");
}

static void
test_lost(void)
{
	char	text[4096], want[64];
	int	i, got = 0, level, sent = 100000;

	for (i = 0; i < sent; i++)
		log_info("flood");
	while (next(text, sizeof(text)) != -1)
		got++;
	ok(got < sent, "a parent that does not read stops nobody");
	log_info("after");
	level = next(text, sizeof(text));
	snprintf(want, sizeof(want), "%d log lines lost", sent - got);
	is_str(text, want, "how many lines were lost is said");
	is_int(level, LOG_LEVEL_WARN, "as a warning");
	(void)next(text, sizeof(text));
	is_str(text, "after", "then the line");
	log_info("more");
	(void)next(text, sizeof(text));
	is_str(text, "more", "and it is said once");
}

/* What standard error gets, when it is what $JOURNAL_STREAM says or not. */
static const char *
printed(int journal, enum log_level level)
{
	static char	text[256];
	struct stat	st;
	char		env[64];
	int		p[2], saved = dup(STDERR_FILENO);
	ssize_t		n;

	if (pipe(p) == -1 || fstat(p[1], &st) == -1)
		bail_out("pipe");
	snprintf(env, sizeof(env), "%llu:%llu", (unsigned long long)st.st_dev,
	    (unsigned long long)st.st_ino + (journal ? 0 : 1));
	setenv("JOURNAL_STREAM", env, 1);
	dup2(p[1], STDERR_FILENO);
	log_line(level, "muxd[7] 3: a line");
	dup2(saved, STDERR_FILENO);
	n = read(p[0], text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	unsetenv("JOURNAL_STREAM");
	close(saved);
	close(p[0]);
	close(p[1]);
	return (text);
}

static void
test_journal(void)
{
	const char	*s;

	is_str(printed(1, LOG_LEVEL_ERROR), "<3>muxd[7] 3: a line\n",
	    "a service manager gets the priority of an error, no time");
	is_str(printed(1, LOG_LEVEL_WARN), "<4>muxd[7] 3: a line\n", "warning");
	is_str(printed(1, LOG_LEVEL_INFO), "<6>muxd[7] 3: a line\n", "info");
	is_str(printed(1, LOG_LEVEL_DEBUG), "<7>muxd[7] 3: a line\n", "debug");
	s = printed(0, LOG_LEVEL_INFO);
	ok(s[0] == '2' && strstr(s, "Z info muxd[7] 3: a line\n") != NULL,
	    "a file that is not the journal's gets time and level");
}

static void
test_fatal(void)
{
	char	text[4096];
	int	status;
	pid_t	pid;

	(void)fflush(stdout);
	if ((pid = fork()) == 0) {
		errno = EACCES;
		fatal("cannot");
	}
	waitpid(pid, &status, 0);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 1, "fatal ends with 1");
	is_int(next(text, sizeof(text)), LOG_LEVEL_ERROR, "and an error line");
	is_str(text, "cannot: Permission denied", "with errno");
}

static const char *
escaped(size_t size, const char *src, size_t len)
{
	static char	buf[64];

	memset(buf, '#', sizeof(buf));
	(void)log_escape(buf, size, src, len);
	return (buf);
}

static void
test_escape(void)
{
	char	out[16], all[256];
	size_t	size, len;
	int	i, bad = 0;

	is_str(escaped(64, "a\nb\x1b[2J\\", 8), "a\\x0ab\\x1b[2J\\x5c",
	    "line ends, escapes and the backslash");
	is_str(escaped(64, "a\0b\x7f\xff", 5), "a\\x00b\\x7f\\xff",
	    "NUL, DEL, high bytes");
	is_str(escaped(8, "abcdefg", 7), "abcdefg", "what just fits is whole");
	is_str(escaped(8, "abcdefgh", 8), "abcd...", "what does not is cut");
	is_str(escaped(8, "ab\n", 3), "ab\\x0a", "an escape that just fits");
	is_str(escaped(8, "abcd\n", 5), "abcd...", "one that does not");
	is_str(escaped(1, "abc", 3), "", "room for the NUL only");
	is_str(escaped(64, "", 0), "", "nothing");
	for (i = 0; i < 256; i++)
		all[i] = (char)i;
	for (size = 1; size < sizeof(out); size++)
		for (len = 0; len < 256; len++) {
			memset(out, '#', sizeof(out));
			log_escape(out, size, all + 255 - len, len);
			for (i = (int)size; i < (int)sizeof(out); i++)
				bad += out[i] != '#';
			bad += memchr(out, '\0', size) == NULL;
			for (i = 0; i < (int)size && out[i] != '\0'; i++)
				bad += out[i] < 0x20 || out[i] > 0x7e;
		}
	is_int(bad, 0, "any text in any room stays printable and inside");
}

int
main(void)
{
	int	sv[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, sv) == -1)
		bail_out("socketpair");
	parent = sv[0];
	log_init("test", sv[1], 0);
	test_lines();
	test_lost();
	test_journal();
	test_fatal();
	test_escape();
	return (done_testing());
}
