/* SPDX-License-Identifier: ISC */
#include <sys/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "proxyd_story.h"

#define FLUSH_ID	0x7fffff01	/* of nobody else's question */
#define ANSWER_MAX	(6 << 20)

void
proxyd_conf(struct conf *cf)
{
	conf_init(cf);
	snprintf(cf->proxy_domain, sizeof(cf->proxy_domain), DOMAIN);
}

/* ---- browsers ---- */

/*
 * To a port of this machine, from 127.0.0.1 + host (0: as the system has it).
 */
static int
connected(int port, int host)
{
	struct sockaddr_in	sin = { .sin_family = AF_INET };
	int			fd, one = 1;

	if ((fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) == -1)
		bail("socket");
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)host);
	if (host != 0 && bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1)
		bail("bind");
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sin.sin_port = htons((uint16_t)port);
	if (connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1)
		bail("connect");
	/* A request in two pieces does not wait for an acknowledgement. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return (fd);
}

int
browser(struct drive *d, int listener)
{
	return (connected(d->port[listener], 0));
}

int
browser_from(struct drive *d, int host)
{
	return (connected(d->port[0], host));
}

void
put(int fd, const char *fmt, ...)
{
	static char	text[128 * 1024];
	va_list		ap;
	int		n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	put_bytes(fd, text, (size_t)n);
}

/* Some bytes more within the time: how many, 0 at the end, -1 with errno. */
static ssize_t
get_some(int fd, char *p, size_t most)
{
	struct pollfd	pfd = { fd, POLLIN, 0 };
	ssize_t		n;

	for (;;) {
		n = recv(fd, p, most, MSG_DONTWAIT);
		if (n != -1 || errno != EAGAIN)
			return (n);
		if (poll(&pfd, 1, WAIT_MS) != 1) {
			errno = ETIMEDOUT;
			return (-1);
		}
	}
}

static int
get_byte(int fd, char *p)
{
	return ((int)get_some(fd, p, 1));
}

static char	got[ANSWER_MAX];

char *
get_until(int fd, const char *text)
{
	size_t	n = 0, len = strlen(text);

	while (n < sizeof(got) - 1 && get_byte(fd, got + n) == 1) {
		n++;
		if (n >= len && memcmp(got + n - len, text, len) == 0)
			break;
	}
	got[n] = '\0';
	return (got);
}

char *
answer(int fd)
{
	const char	*cl;
	char		*p;
	size_t		 n, want, left;
	ssize_t		 r = 1;
	int		 status;

	(void)get_until(fd, "\r\n\r\n");
	n = strlen(got);
	if (n < 4 || memcmp(got + n - 4, "\r\n\r\n", 4) != 0)
		return (NULL);
	status = status_of(got);
	p = got + n;
	if (status < 200 || status == 204 || status == 304)
		return (got);
	if (strcasecmp(header_of(got, "transfer-encoding", 0),
	    "chunked") == 0) {
		while (n < sizeof(got) - 1 &&
		    get_byte(fd, got + n) == 1) {
			got[++n] = '\0';
			if (n >= 5 && strcmp(got + n - 5, "0\r\n\r\n") == 0)
				return (got);
		}
		return (NULL);
	}
	cl = header_of(got, "content-length", 0);
	want = *cl != '\0' ? strtoul(cl, NULL, 10) : sizeof(got);
	while ((left = want - (size_t)(got + n - p)) > 0 &&
	    n < sizeof(got) - 1) {
		if (left > sizeof(got) - 1 - n)
			left = sizeof(got) - 1 - n;
		if ((r = get_some(fd, got + n, left)) <= 0)
			break;
		n += (size_t)r;
	}
	got[n] = '\0';
	if (*cl == '\0' && r == 0)
		return (got);
	return ((size_t)(got + n - p) == want ? got : NULL);
}

int
status_of(const char *a)
{
	return (a != NULL && strncmp(a, "HTTP/1.1 ", 9) == 0 ?
	    atoi(a + 9) : -1);
}

const char *
header_of(const char *a, const char *name, int n)
{
	static char	 value[4][16384];
	static int	 turn;
	const char	*p, *end;
	size_t		 len = strlen(name);
	char		*out_value = value[turn++ & 3];

	out_value[0] = '\0';
	for (p = a; p != NULL && (p = strstr(p, "\r\n")) != NULL;) {
		p += 2;
		if (p[0] == '\r')
			break;
		if (strncasecmp(p, name, len) != 0 || p[len] != ':' || n-- > 0)
			continue;
		for (p += len + 1; *p == ' '; p++)
			continue;
		end = strstr(p, "\r\n");
		snprintf(out_value, sizeof(value[0]), "%.*s",
		    (int)(end - p), p);
		break;
	}
	return (out_value);
}

const char *
body_of(const char *a)
{
	const char	*p = a != NULL ? strstr(a, "\r\n\r\n") : NULL;

	return (p != NULL ? p + 4 : "");
}

int
end_of(int fd)
{
	char	c;
	int	r = get_byte(fd, &c);

	return (r == 0 ? 0 : r == -1 ? errno : -1);
}

int
is_quiet(int fd, int ms)
{
	struct pollfd	pfd = { fd, POLLIN, 0 };

	return (poll(&pfd, 1, ms) == 0);
}

/* ---- the far ends ---- */

const char *
proxy_token(const char *session, const char *mark)
{
	static char	token[4096];
	char		text[1024], b64[2048];

	snprintf(text, sizeof(text), "{\"token_type\":\"proxy\","
	    "\"session_id\":\"%s\",\"jti\":\"%s\"}", session, mark);
	sodium_bin2base64(b64, sizeof(b64), (unsigned char *)text,
	    strlen(text), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	snprintf(token, sizeof(token), "eyJhbGciOiJIUzI1NiJ9.%s.c2lnbmF0dXJl",
	    b64);
	return (token);
}

void
services(struct drive *d, const char *name, const char *target,
    const char *host, const char *path, const char *prefix)
{
	say(d->authd, services_begin, .version = 1, .count = 1,
	    .session = SESSION);
	say(d->authd, service, .name = name, .target = target, .host = host,
	    .path = path, .path_prefix = prefix);
	say(d->authd, services_end);
}

static void
granted(struct drive *d, uint32_t call, uint16_t status, const char *message,
    uint64_t id, const char *reference)
{
	say_id(d->authd, call, granted, .status = status, .message = message,
	    .grant = id, .session = status == 0 ? SESSION : "",
	    .operator = "op", .expires = (uint64_t)time(NULL) + 28800,
	    .idle_max = 32, .reference = reference);
}

void
grant_yes(struct drive *d, uint64_t id)
{
	grant_yes_as(d, id, "");
}

void
grant_yes_as(struct drive *d, uint64_t id, const char *reference)
{
	uint32_t	call = hear_next(d->authd, grant, NULL)->id;

	services(d, "web", "10.0.0.5:8080", "", "", "");
	granted(d, call, 0, "", id, reference);
}

void
grant_no(struct drive *d, uint16_t status, const char *message)
{
	granted(d, hear_next(d->authd, grant, NULL)->id, status, message, 0, "");
}

int
stream_yes(struct drive *d)
{
	static uint64_t	n;
	uint32_t	call = hear_next(d->authd, stream_open, NULL)->id;
	int		sv[2];

	stream_pair(sv);
	say_fd(d->authd, call, sv[1], stream_opened, .stream = ++n);
	return (sv[0]);
}

void
stream_no(struct drive *d, uint16_t status, const char *message)
{
	uint32_t	call = hear_next(d->authd, stream_open, NULL)->id;

	say_id(d->authd, call, stream_refused, .status = status,
	    .message = message);
}

void
get(int fd, const char *path)
{
	put(fd, "GET %s HTTP/1.1\r\nHost: " HOST "\r\n"
	    "Cookie: a=1; support_proxy_" SLUG "=%s; b=2\r\n\r\n", path,
	    proxy_token(SESSION, "one"));
}

char *
request_at(int stream)
{
	return (get_until(stream, "\r\n\r\n"));
}

void
flush_authd(struct drive *d)
{
	struct imsg	m = { .fd = -1 };

	/* A question that it answers once it has read what was said before. */
	say_id(d->authd, FLUSH_ID, idle_drop, .session =
	    "99999999-0000-4000-8000-000000000000");
	while (m.type != IMSG_IDLE_DROPPED || m.id != FLUSH_ID) {
		if (hear_any(d->authd, &m, WAIT_MS) <= 0)
			bail("proxyd does not say that it has read all");
		if (m.type != IMSG_GRANT_DROP && m.type !=
		    IMSG_REFUSED_ALONE && m.type != IMSG_IDLE_DROPPED)
			printf("# authd heard %s\n", imsg_name(m.type));
	}
	while (hear_any(d->authd, &m, 20) > 0)
		if (m.type != IMSG_GRANT_DROP &&
		    m.type != IMSG_REFUSED_ALONE)
			printf("# authd heard %s\n", imsg_name(m.type));
}

int
open_stream(struct drive *d, int fd, const char *path, uint64_t grant)
{
	get(fd, path);
	if (grant != 0)
		grant_yes(d, grant);
	return (stream_yes(d));
}

void
grant_first(struct drive *d)
{
	int	fd = browser(d, 0);

	close(open_stream(d, fd, "/", 7));
	(void)answer(fd);
	close(fd);
}
