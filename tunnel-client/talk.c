/* SPDX-License-Identifier: ISC */
/*
 * `tunnel-client status` and `tunnel-client consent`: what the client that runs
 * has to say, for people, and what they have to say to it.
 */
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cjson/cJSON.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/compat.h"
#include "status.h"
#include "statussock.h"
#include "talk.h"
#include "when.h"

#define ANSWER_MAX	(4 * 1024 * 1024)
#define ANSWER_S	10

static int	talk_connect(const char *);
static char	*talk_ask(const struct options *, const char *, int *);
static void	show_status(const cJSON *);

/* The way there. */

static int
talk_connect(const char *path)
{
	struct timeval		limit = { .tv_sec = ANSWER_S };
	struct sockaddr_un	sun = { .sun_family = AF_UNIX };
	int			fd;

	if (strlcpy(sun.sun_path, path, sizeof(sun.sun_path)) >=
	    sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		return (-1);
	}
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) == -1)
		return (-1);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0)
		return (fd);
	close(fd);
	return (-1);
}

/* All that comes, on the heap; NULL with errno. */
static char *
read_answer(int fd)
{
	char	*text = NULL, *more;
	size_t	 len = 0, cap = 0;
	ssize_t	 n;

	for (;;) {
		if (len + 1 >= cap) {
			cap = cap == 0 ? 8192 : 2 * cap;
			if (cap > ANSWER_MAX ||
			    (more = realloc(text, cap)) == NULL)
				break;
			text = more;
		}
		if ((n = read(fd, text + len, cap - len - 1)) == -1)
			break;
		len += (size_t)n;
		text[len] = '\0';
		if (n == 0)
			return (text);
	}
	free(text);
	return (NULL);
}

static void
say_unreachable(const char *path)
{
	int	err = errno;

	fprintf(stderr, "tunnel-client: %s: %s%s\n", path, strerror(err),
	    err == ENOENT || err == ECONNREFUSED ? ": no client runs, or it "
	    "has another --status-socket" : err == EACCES ? ": it is for root, "
	    "or for --status-group" : "");
}

/*
 * What stands behind the OK, on the heap; NULL after a word, *no: the status.
 */
static char *
talk_ask(const struct options *o, const char *line, int *no)
{
	const char	*path = o->status_socket;
	char		*text = NULL;
	int		 fd;

	if ((fd = talk_connect(path)) == -1 ||
	    write(fd, line, strlen(line)) != (ssize_t)strlen(line) ||
	    (text = read_answer(fd)) == NULL)
		say_unreachable(path);
	if (fd != -1)
		close(fd);
	*no = text == NULL ? EXIT_UNREACHED : EXIT_WRONG;
	if (text == NULL)
		return (NULL);
	if (strncmp(text, "OK\n", 3) == 0) {
		memmove(text, text + 3, strlen(text + 3) + 1);
		return (text);
	}
	fprintf(stderr, "tunnel-client: %s", strncmp(text, "ERROR ", 6) == 0 ?
	    text + 6 : "no answer\n");
	free(text);
	return (NULL);
}

/* For people. */

static const char *
text_of(const cJSON *o, const char *name)
{
	const cJSON	*s = cJSON_GetObjectItemCaseSensitive(o, name);

	return (cJSON_IsString(s) ? s->valuestring : "");
}

static double
number_of(const cJSON *o, const char *name)
{
	const cJSON	*n = cJSON_GetObjectItemCaseSensitive(o, name);

	return (cJSON_IsNumber(n) ? n->valuedouble : 0);
}

static time_t
time_of(const cJSON *o, const char *name)
{
	struct tm	tm = { 0 };

	if (strptime(text_of(o, name), "%Y-%m-%dT%H:%M:%SZ", &tm) == NULL)
		return (0);
	return (timegm(&tm));
}

/* A time of this place, and how long ago that was. */
static const char *
when(char *dst, size_t size, const cJSON *top, const cJSON *o,
    const char *name)
{
	time_t		t = time_of(o, name);
	char		clock[64] = "", span[32];
	struct tm	tm;

	if (localtime_r(&t, &tm) != NULL)
		strftime(clock, sizeof(clock), "%Y-%m-%d %H:%M:%S", &tm);
	snprintf(dst, size, "%s (%s)", clock, status_span(span,
	    time_of(top, "now") - t));
	return (dst);
}

static const char *
bytes(char *dst, size_t size, double n)
{
	static const char *const	units[] = { "B", "kB", "MB", "GB",
					    "TB" };
	size_t				i;

	for (i = 0; n >= 1000 && i < 4; i++)
		n /= 1000;
	snprintf(dst, size, i == 0 ? "%.0f %s" : "%.1f %s", n, units[i]);
	return (dst);
}

static void
show_streams(const cJSON *top)
{
	const cJSON	*list, *o;
	const char	*service;
	char		 in[32], out[32], since[128];

	list = cJSON_GetObjectItemCaseSensitive(top, "streams");
	printf("open now: %s\n", cJSON_GetArraySize(list) == 0 ? "nothing" :
	    "(by operators of that server; which, it does not tell)");
	cJSON_ArrayForEach(o, list) {
		service = text_of(o, "service");
		printf("  %-20s since %s, %s in, %s out\n", *service != '\0' ?
		    service : text_of(o, "kind"),
		    when(since, sizeof(since), top, o, "since"),
		    bytes(in, sizeof(in), number_of(o, "received")),
		    bytes(out, sizeof(out), number_of(o, "sent")));
	}
}

static void
show_services(const cJSON *top)
{
	const cJSON	*list, *o;

	list = cJSON_GetObjectItemCaseSensitive(top, "services");
	printf("services:%s\n", cJSON_GetArraySize(list) == 0 ? " none" : "");
	cJSON_ArrayForEach(o, list) {
		printf("  %-20s %s%s\n", text_of(o, "name"),
		    text_of(o, "target"), cJSON_IsTrue(
		    cJSON_GetObjectItemCaseSensitive(o, "added")) ?
		    ", added by an operator" : "");
	}
}

static void
show_consent(const cJSON *top)
{
	const cJSON	*c = cJSON_GetObjectItemCaseSensitive(top, "consent");
	const char	*until = text_of(c, "until");
	time_t		 t = time_of(c, "until");
	char		 at[64] = "", span[32], asked[128];
	struct tm	 tm;

	if (*until != '\0' && localtime_r(&t, &tm) != NULL)
		strftime(at, sizeof(at), "%Y-%m-%d %H:%M:%S", &tm);
	if (!cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(c, "given")))
		printf("consent: no, %s: operators are refused\n",
		    text_of(c, "why"));
	else if (*until != '\0')
		printf("consent: until %s (%s)\n", at, status_span(span,
		    t - time_of(top, "now")));
	else
		printf("consent: yes, without an end\n");
	if (number_of(c, "asked") > 0)
		printf("  asked for %.0f time%s, last for %s at %s\n",
		    number_of(c, "asked"), number_of(c, "asked") > 1 ? "s" : "",
		    text_of(c, "asked_for"), when(asked, sizeof(asked), top, c,
		    "asked_at"));
}

static void
show_users(const cJSON *top)
{
	const cJSON	*list, *o;

	list = cJSON_GetObjectItemCaseSensitive(top, "users");
	if (*text_of(top, "users_error") != '\0')
		printf("users: %s, tried again by and by\n",
		    text_of(top, "users_error"));
	if (cJSON_GetArraySize(list) > 0)
		printf("users made for the operator:\n");
	cJSON_ArrayForEach(o, list)
		printf("  %-30s of %s\n", text_of(o, "name"),
		    text_of(o, "of"));
}

static void
show_status(const cJSON *top)
{
	const cJSON	*e;
	const char	*session = text_of(top, "session");
	char		 t[128], span[32];
	int		 up = strcmp(text_of(top, "state"), "connected") == 0;

	printf("%s %s since %s%s%s\n", up ? "connected to" : "not connected to",
	    text_of(top, "server"), when(t, sizeof(t), top, top, "since"),
	    *session == '\0' ? "" : ", session ", session);
	e = cJSON_GetObjectItemCaseSensitive(top, "last_error");
	if (e != NULL)
		printf("last error: %s: %s\n", when(t, sizeof(t), top, e, "at"),
		    text_of(e, "text"));
	if (strcmp(text_of(top, "state"), "waiting") == 0)
		printf("next try: in %s\n", status_span(span,
		    (int64_t)number_of(top, "next_try_s")));
	else if (!up)
		printf("now: %s\n", text_of(top, "state"));
	show_consent(top);
	show_users(top);
	show_services(top);
	show_streams(top);
}

/* The order as the client takes it; EXIT_DONE, EXIT_USAGE after a word. */
static int
order_make(char *line, size_t size, char *const *words)
{
	char		 text[128] = "";
	int64_t		 until;
	size_t		 i = strcmp(words[0], "until") == 0 ? 1 : 0;

	if (words[1] == NULL && (strcmp(words[0], "on") == 0 ||
	    strcmp(words[0], "off") == 0 || strcmp(words[0], "default") == 0)) {
		snprintf(line, size, "consent %s\n", words[0]);
		return (EXIT_DONE);
	}
	/* A date and a time may be two words. */
	snprintf(text, sizeof(text), "%s%s%s", words[i] == NULL ? "" : words[i],
	    words[i] == NULL || words[i + 1] == NULL ? "" : " ",
	    words[i] == NULL || words[i + 1] == NULL ? "" : words[i + 1]);
	until = when_parse(text, time(NULL));
	if (until <= time(NULL)) {
		fprintf(stderr, "tunnel-client: consent: on, off, default, a "
		    "time such as 90m, 2h or 3d, or until 2026-12-01T18:00 "
		    "expected%s\n", until == -1 ? "" : ", in the future");
		return (EXIT_USAGE);
	}
	snprintf(line, size, "consent until %lld\n", (long long)until);
	return (EXIT_DONE);
}

static int
give_order(const struct options *o)
{
	char	line[STATUSSOCK_LINE], *text;
	int	no;

	if (order_make(line, sizeof(line), o->words + 1) != EXIT_DONE)
		return (EXIT_USAGE);
	if ((text = talk_ask(o, line, &no)) == NULL)
		return (no);
	free(text);
	return (EXIT_DONE);
}

int
talk(const struct options *o)
{
	int	 consent = strcmp(o->words[0], "consent") == 0, up, no;
	cJSON	*top;
	char	*text;

	if (consent && o->words[1] != NULL &&
	    (no = give_order(o)) != EXIT_DONE)
		return (no);
	if ((text = talk_ask(o, "status\n", &no)) == NULL)
		return (no);
	top = cJSON_Parse(text);
	up = strcmp(text_of(top, "state"), "connected") == 0;
	if (o->json)
		fputs(text, stdout);
	else if (consent)
		show_consent(top);
	else
		show_status(top);
	cJSON_Delete(top);
	free(text);
	return (consent || up ? EXIT_DONE : EXIT_WRONG);
}
