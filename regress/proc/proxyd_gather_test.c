/* SPDX-License-Identifier: ISC */
/*
 * What is of all members of a cluster: how the others are asked, and what one
 * that lies, hangs or has gone does to the answer. This program is authd and
 * the other members.
 */
#include <sys/socket.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proxyd/job/gather.h"
#include "proxyd/member.h"
#include "regress/lib/proxyd_story.h"
#include "regress/lib/tap.h"

#define LIST	"GET /api/terminals HTTP/1.1\r\nHost: a\r\n"		\
	"Authorization: Bearer t-1\r\n\r\n"
#define OURS	"{\"terminals\":[{\"terminal\":\"1\"}]}"
#define THEIRS	"{\"code\":200,\"message\":\"m\",\"data\":"		\
	"{\"terminals\":[{\"terminal\":\"2\",\"member\":\"z\"},3]}}"
#define MINE	"{\"terminal\":\"1\",\"member\":\"a\"}"

static struct drive	d;

/* authd: ours is this. */
static void
ours(int status, const char *json)
{
	struct msg_api	 in;
	struct imsg	*m = hear_next(d.authd, api, &in);
	uint32_t	 id = m->id;

	say_id(d.authd, id, api_result, .status = (uint16_t)status,
	    .message = "m", .total = (uint32_t)strlen(json));
	if (json[0] != '\0')
		say_id(d.authd, id, doc_chunk, .bytes = { json,
		    strlen(json) });
}

/* authd: these are there. */
static void
members(const char *others)
{
	struct msg_members	 in;
	struct imsg		*m = hear_next(d.authd, members, &in);

	say_id(d.authd, m->id, members_are, .self = "a", .others = others);
}

/* authd: a connection to that one, of which this is the far end. */
static int
linked(const char *member)
{
	struct msg_forward	 in;
	struct imsg		*m = hear_next(d.authd, forward, &in);
	int			 sv[2];

	is_str(in.member, member, "a connection to %s is asked for", member);
	is_str(in.addr, "127.0.0.1", "for this client");
	stream_pair(sv);
	say_fd(d.authd, m->id, sv[1], forwarded);
	return (sv[0]);
}

static void
says(int link, const char *status, const char *body)
{
	put(link, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s", status,
	    strlen(body), body);
}

/* A browser's list, of which ours is said, and b has this connection. */
static int
list(int *link)
{
	int	fd = browser(&d, 0);

	put(fd, LIST);
	ours(200, OURS);
	members("b\n");
	*link = linked("b");
	(void)get_until(*link, "\r\n\r\n");
	return (fd);
}

static void
test_both(void)
{
	const char	*a;
	int		 fd, link;

	fd = browser(&d, 0);
	put(fd, LIST);
	ours(200, OURS);
	members("b\n");
	link = linked("b");
	is_str(get_until(link, "\r\n\r\n"), "GET /api/terminals HTTP/1.1\r\n"
	    "Host: relayd\r\nAccept: application/json\r\n"
	    "Authorization: Bearer t-1\r\n\r\n",
	    "another is asked the same with the caller's token");
	says(link, "200 OK", THEIRS);
	a = answer(fd);
	is_int(status_of(a), 200, "one answer");
	ok(strstr(body_of(a), "{\"terminals\":[" MINE ",{\"terminal\":\"2\","
	    "\"member\":\"b\"}],\"missing\":[]}") != NULL, "has both, each with "
	    "its member, whatever a row says, and rows alone: %s", body_of(a));
	put(fd, LIST);
	ours(200, OURS);
	members("b\n");
	(void)get_until(link, "\r\n\r\n");
	says(link, "200 OK", THEIRS);
	is_int(status_of(answer(fd)), 200, "the next goes the same way");
	/* It was closed over there, which is seen when it is used. */
	drive_freeze(&d, 1);
	close(link);
	put(fd, LIST);
	drive_freeze(&d, 0);
	ours(200, OURS);
	members("b\n");
	link = linked("b");
	(void)get_until(link, "\r\n\r\n");
	says(link, "200 OK", THEIRS);
	ok(strstr(body_of(answer(fd)), "\"missing\":[]") != NULL,
	    "or a new one");
	close(link);
	close(fd);
}

/* Whatever b says, and hangs up: ours is there, and b is missing. */
static void
broken(const char *what, const char *said)
{
	const char	*a;
	int		 link, fd = list(&link);

	put(link, "%s", said);
	shutdown(link, SHUT_WR);
	a = answer(fd);
	ok(status_of(a) == 200 && strstr(body_of(a), "[" MINE "],\"missing\":"
	    "[\"b\"]}") != NULL, "%s: it is missing: %s", what, body_of(a));
	close(link);
	close(fd);
}

static void
test_broken(void)
{
	char	head[128];

	broken("it hangs up", "");
	broken("half a head", "HTTP/1.1 2");
	broken("half a body", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{");
	broken("no HTTP", "SSH-2.0-x\r\n\r\n");
	broken("no length", "HTTP/1.1 200 OK\r\n\r\n" THEIRS);
	broken("chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
	    "\r\n0\r\n\r\n");
	broken("no JSON", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{]");
	broken("no object", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]");
	broken("no data", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
	broken("a refusal", "HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\n{}");
	snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %d"
	    "\r\n\r\n", GATHER_MAX + 1);
	broken("more than there is room for", head);
	ok(drive_logs(&d, "member b: its answer is too long"),
	    "which is logged");
}

/* The longest that is allowed. */
static void
test_long(void)
{
	static const char	front[] = "{\"data\":{\"terminals\":[]},\"x\":\"";
	char			*body = malloc(GATHER_MAX + 1);
	const char		*a;
	int			 link, fd = list(&link);
	size_t			 done;
	ssize_t			 n;

	memset(body, 'x', GATHER_MAX);
	memcpy(body, front, sizeof(front) - 1);
	memcpy(body + GATHER_MAX - 2, "\"}", 3);
	put(link, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n",
	    GATHER_MAX);
	(void)fcntl(link, F_SETFL, 0);	/* wait for room */
	for (done = 0; done < GATHER_MAX; done += (size_t)n)
		if ((n = send(link, body + done, GATHER_MAX - done,
		    MSG_NOSIGNAL)) <= 0)
			break;
	a = body_of(answer(fd));
	ok(strstr(a, "\"missing\":[]") != NULL, "an answer of %d bytes: %s",
	    GATHER_MAX, a);
	free(body);
	close(link);
	close(fd);
}

static void
test_away(void)
{
	struct msg_forward	 in;
	struct msg_members	 who;
	struct imsg		*m;
	int			 fd, link;

	fd = list(&link);
	drive_clock(&d, GATHER_MS);
	ok(strstr(body_of(answer(fd)), "[\"b\"]") != NULL,
	    "one that says nothing is missing after %d ms", GATHER_MS);
	close(link);
	put(fd, LIST);
	ours(200, OURS);
	members("b\n");
	m = hear_next(d.authd, forward, &in);
	say_id(d.authd, m->id, forward_failed, .why = "no\nway");
	ok(strstr(body_of(answer(fd)), "[\"b\"]") != NULL,
	    "so is one that cannot be reached");
	ok(drive_logs(&d, "member b: no\\x0away"), "and the log says why");
	put(fd, LIST);
	ours(200, OURS);
	members("");
	ok(strstr(body_of(answer(fd)), "[" MINE "],\"missing\":[]") != NULL,
	    "with nobody else it is ours alone");
	put(fd, LIST);
	ours(401, "");
	is_int(status_of(answer(fd)), 401, "who is nobody here has nobody asked");
	put(fd, LIST);
	ours(200, OURS);
	(void)hear_next(d.authd, members, &who);
	drive_clock(&d, GATHER_MS);
	is_int(status_of(answer(fd)), 503, "authd does not say who is there");
	close(fd);
	fd = list(&link);
	close(fd);
	is_int(end_of(link), 0, "who goes takes his questions along");
	close(link);
}

/* Which of them ends a terminal. */
static int
ended(const char *bs, const char *cs)
{
	int	fd = browser(&d, 0), b, c, r;

	put(fd, "DELETE /api/terminals/7 HTTP/1.1\r\nHost: a\r\n"
	    "Authorization: Bearer t-1\r\n\r\n");
	ours(404, "");
	members("b\nc\n");
	b = linked("b");
	c = linked("c");
	ok(strstr(get_until(b, "\r\n\r\n"), "DELETE /api/terminals/7 ") != NULL,
	    "b is asked");
	(void)get_until(c, "\r\n\r\n");
	says(b, bs, "{}");
	says(c, cs, "{}");
	r = status_of(answer(fd));
	close(b);
	close(c);
	close(fd);
	return (r);
}

static void
test_end(void)
{
	int	fd = browser(&d, 0);

	is_int(ended("404 No", "200 OK"), 200, "one has it");
	is_int(ended("404 No", "404 No"), 404, "none has it");
	is_int(ended("404 No", "503 No"), 503, "one cannot say");
	put(fd, "DELETE /api/terminals/7%%20x HTTP/1.1\r\nHost: a\r\n"
	    "Authorization: Bearer t-1\r\n\r\n");
	ours(404, "");
	is_int(status_of(answer(fd)), 404, "what is no number asks nobody");
	close(fd);
}

/* No more than there is room for. */
static void
test_many(void)
{
	static int	fd[GATHERS_MAX + 1], link[GATHERS_MAX];
	int		i;

	for (i = 0; i < GATHERS_MAX; i++)
		fd[i] = list(&link[i]);
	fd[i] = browser(&d, 0);
	put(fd[i], LIST);
	ours(200, OURS);
	is_int(status_of(answer(fd[i])), 503, "one more than %d is refused",
	    GATHERS_MAX);
	for (i = 0; i < GATHERS_MAX; i++) {
		says(link[i], "200 OK", THEIRS);
		is_int(status_of(answer(fd[i])), 200, "the others go on");
		close(link[i]);
	}
	put(fd[i], LIST);
	ours(200, OURS);
	members("");
	is_int(status_of(answer(fd[i])), 200, "and then there is room");
	for (i = 0; i <= GATHERS_MAX; i++)
		close(fd[i]);
}

int
main(void)
{
	struct conf	cf;

	proxyd_conf(&cf);
	cf.cluster_port = 7;
	drive_start(&d, ROLE_PROXYD, &cf);
	test_both();
	test_broken();
	test_long();
	test_away();
	test_end();
	test_many();
	is_int(drive_leave(&d), 0, "proxyd ends well");
	return (done_testing());
}
