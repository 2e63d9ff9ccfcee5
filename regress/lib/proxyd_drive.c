/* SPDX-License-Identifier: ISC */
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <arpa/inet.h>
#include <netinet/in.h>

#include <linux/sockios.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "proxyd_drive.h"

#define LOG_MAX		(8 << 20)
#define ANSWER_MAX	(4 << 20)

static char	log_text[LOG_MAX];
static size_t	log_len;

static unsigned int	files;

void
drive_files(unsigned int n)
{
	files = n;
}

void
drive_conf(struct conf *cf)
{
	conf_init(cf);
	snprintf(cf->proxy_domain, sizeof(cf->proxy_domain), DOMAIN);
}

static int
listen_any(int *port)
{
	struct sockaddr_in	sin = { .sin_family = AF_INET };
	socklen_t		len = sizeof(sin);
	int			fd, one = 1;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if ((fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) == -1 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == -1 ||
	    bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    listen(fd, 256) == -1 ||
	    getsockname(fd, (struct sockaddr *)&sin, &len) == -1)
		err(1, "listen");
	*port = ntohs(sin.sin_port);
	return (fd);
}

static void
run_child(int parent, int logfd)
{
	const char	*build = getenv("RELAYD_BUILD");
	const char	*asan = getenv("ASAN_OPTIONS");
	char		 path[1024], options[1024];
	struct rlimit	 rl;

	snprintf(path, sizeof(path), "%s/libexec/proxyd",
	    build != NULL ? build : ".");
	/* A sandboxed process cannot be stopped and searched for leaks. */
	snprintf(options, sizeof(options), "%s:detect_leaks=0",
	    asan != NULL ? asan : "");
	setenv("ASAN_OPTIONS", options, 1);
	if (files != 0) {
		rl.rlim_cur = rl.rlim_max = files;
		(void)setrlimit(RLIMIT_NOFILE, &rl);
	}
	/* Out of the way first, so that neither overwrites the other. */
	parent = fcntl(parent, F_DUPFD, 20);
	logfd = fcntl(logfd, F_DUPFD, 20);
	if (dup2(parent, PARENT_FD) == -1 || dup2(logfd, LOG_FD) == -1)
		_exit(126);
	execl(path, "proxyd", (char *)NULL);
	_exit(127);
}

void
drive_start(struct drive *d, const struct conf *cf)
{
	static const uint32_t	flags[3] = { 0, LISTEN_INTERNAL,
	    LISTEN_TUNNEL };
	uint8_t			buf[CHUNK_MAX];
	int			pp[2], lp[2], i;
	long			n;

	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (sodium_init() == -1 || imsg_pair(pp) == -1 || imsg_pair(lp) == -1)
		err(1, "pair");
	fflush(stdout);
	if ((d->pid = fork()) == -1)
		err(1, "fork");
	if (d->pid == 0)
		run_child(pp[1], lp[1]);
	close(pp[1]);
	close(lp[1]);
	d->parent = pp[0];
	d->log = lp[0];
	d->authd = -1;
	if ((n = conf_pack(cf, ROLE_PROXYD, buf, sizeof(buf))) == -1)
		errx(1, "conf_pack");
	m_begin(IMSG_CONF, 0);
	m_blob(buf, (size_t)n);
	m_send(d->parent, -1);
	for (i = 0; i < 3; i++) {
		d->lfd[i] = listen_any(&d->port[i]);
		m_begin(IMSG_LISTENER, 0);
		m_u32(flags[i]);
		m_str("127.0.0.1");
		m_send(d->parent, d->lfd[i]);
	}
	drive_channel(d);
	m_begin(IMSG_START, 0);
	m_u32(getuid());
	m_u32(getgid());
	m_str("");
	m_u8(1);
	m_send(d->parent, -1);
	(void)m_expect(d->parent, IMSG_READY);
}

void
drive_channel(struct drive *d)
{
	int	ap[2], unread, tries = 0;

	if (d->authd != -1)
		close(d->authd);
	if (imsg_pair(ap) == -1)
		err(1, "pair");
	m_begin(IMSG_CHANNEL, 0);
	m_send(d->parent, ap[1]);
	close(ap[1]);
	d->authd = ap[0];
	/* Once it has been read it counts for all that comes from now on. */
	do {
		usleep(1000);
		if (ioctl(d->parent, SIOCOUTQ, &unread) == -1)
			err(1, "SIOCOUTQ");
	} while (unread > 0 && tries++ < DRIVE_MS);
}

int
drive_stop(struct drive *d)
{
	int	status, i;

	(void)drive_logged(d, "");
	close(d->parent);
	if (waitpid(d->pid, &status, 0) == -1)
		err(1, "waitpid");
	for (i = 0; i < 3; i++)
		close(d->lfd[i]);
	close(d->authd);
	close(d->log);
	return (WIFSIGNALED(status) ? 128 + WTERMSIG(status) :
	    WEXITSTATUS(status));
}

void
drive_clock(struct drive *d, uint64_t ms)
{
	m_begin(IMSG_CLOCK, 0);
	m_u64(ms);
	m_send(d->parent, -1);
	/* Tried in order: when it is answered, the clock has moved. */
	m_begin(IMSG_TRY, 7);
	m_u8(TRY_OPEN);
	m_send(d->parent, -1);
	(void)m_expect(d->parent, IMSG_TRIED);
}

int
drive_logged(struct drive *d, const char *text)
{
	ssize_t	n;

	while (log_len < LOG_MAX - 4096 && (n = recv(d->log, log_text + log_len,
	    4096, MSG_DONTWAIT)) > 0) {
		log_len += (size_t)n;
		log_text[log_len++] = '\n';
	}
	return (memmem(log_text, log_len, text, strlen(text)) != NULL);
}

/* ---- messages ---- */

static uint8_t	out[IMSG_MAX];
static size_t	out_len;

static void
m_add(const void *p, size_t n)
{
	if (out_len + n > sizeof(out))
		errx(1, "message too long");
	memcpy(out + out_len, p, n);
	out_len += n;
}

void
m_begin(uint32_t type, uint32_t id)
{
	out_len = 0;
	m_add(&type, 4);
	m_add(&id, 4);
}

void
m_u8(uint8_t v)
{
	m_add(&v, sizeof(v));
}

void
m_u16(uint16_t v)
{
	m_add(&v, sizeof(v));
}

void
m_u32(uint32_t v)
{
	m_add(&v, sizeof(v));
}

void
m_u64(uint64_t v)
{
	m_add(&v, sizeof(v));
}

void
m_blob(const void *p, size_t n)
{
	m_u32((uint32_t)n);
	m_add(p, n);
}

void
m_str(const char *s)
{
	m_blob(s, strlen(s));
	m_u8(0);
}

void
m_send(int channel, int fd)
{
	struct pollfd	pfd = { channel, POLLOUT, 0 };

	while (imsg_send(channel, out, out_len, fd) == -1) {
		if (errno != EAGAIN || poll(&pfd, 1, DRIVE_MS) != 1)
			err(1, "send message");
	}
}

struct imsg *
m_recv(int channel, int ms)
{
	static uint8_t		 buf[IMSG_MAX];
	static struct imsg	 m;
	struct pollfd		 pfd = { channel, POLLIN, 0 };
	const char		*reason;
	long			 n;
	int			 fd;

	if (poll(&pfd, 1, ms) != 1)
		return (NULL);
	if ((n = imsg_recv(channel, buf, &fd)) <= 0)
		return (NULL);
	if (imsg_parse(&m, buf, (size_t)n, &reason) == -1)
		errx(1, "message: %s", reason);
	m.fd = fd;
	return (&m);
}

struct imsg *
m_expect(int channel, uint32_t type)
{
	struct imsg	*m;

	/* When proxyd lets go of an old grant is its own affair. */
	do {
		if ((m = m_recv(channel, DRIVE_MS)) == NULL)
			errx(1, "waited for %s in vain", imsg_name(type));
	} while (m->type == IMSG_GRANT_DROP && type != IMSG_GRANT_DROP);
	if (m->type != type)
		errx(1, "waited for %s, got %s", imsg_name(type),
		    imsg_name(m->type));
	return (m);
}

/* ---- browsers ---- */

int
browser(struct drive *d, int listener)
{
	struct sockaddr_in	sin = { .sin_family = AF_INET };
	int			fd;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sin.sin_port = htons((uint16_t)d->port[listener]);
	if ((fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) == -1 ||
	    connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1)
		err(1, "connect");
	return (fd);
}

void
put_bytes(int fd, const void *p, size_t len)
{
	struct pollfd	 pfd = { fd, POLLOUT, 0 };
	const char	*s = p;
	ssize_t		 n;

	while (len > 0) {
		if (poll(&pfd, 1, DRIVE_MS) != 1)
			errx(1, "cannot write");
		n = send(fd, s, len, MSG_DONTWAIT);
		if (n == -1 && errno == EAGAIN)
			continue;
		if (n == -1)
			return;		/* the other side has had enough */
		s += n;
		len -= (size_t)n;
	}
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

/* One byte more within the time: 1, 0 at the end, -1 with errno. */
static int
get_byte(int fd, char *p)
{
	struct pollfd	pfd = { fd, POLLIN, 0 };
	ssize_t		n;

	for (;;) {
		n = recv(fd, p, 1, MSG_DONTWAIT);
		if (n != -1 || errno != EAGAIN)
			return ((int)n);
		if (poll(&pfd, 1, DRIVE_MS) != 1) {
			errno = ETIMEDOUT;
			return (-1);
		}
	}
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
	size_t		 n, want;
	int		 r = 1, status;

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
	while (n < sizeof(got) - 1 && (size_t)(got + n - p) < want &&
	    (r = get_byte(fd, got + n)) == 1)
		n++;
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
	m_begin(IMSG_SERVICES_BEGIN, 0);
	m_u32(1);
	m_u32(1);
	m_str(SESSION);
	m_send(d->authd, -1);
	m_begin(IMSG_SERVICE, 0);
	m_str(name);
	m_str(target);
	m_str(host);
	m_u8(0);
	m_str("");
	m_str(path);
	m_str(prefix);
	m_str("");
	m_str("");
	m_send(d->authd, -1);
	m_begin(IMSG_SERVICES_END, 0);
	m_send(d->authd, -1);
}

static void
granted(struct drive *d, uint32_t call, uint16_t status, const char *message,
    uint64_t id)
{
	m_begin(IMSG_GRANTED, call);
	m_u16(status);
	m_str(message);
	m_u64(id);
	m_str(status == 0 ? SESSION : "");
	m_str("op");
	m_u64((uint64_t)time(NULL) + 28800);
	m_u32(32);
	m_send(d->authd, -1);
}

void
grant_yes(struct drive *d, uint64_t id)
{
	uint32_t	call = m_expect(d->authd, IMSG_GRANT)->id;

	services(d, "web", "10.0.0.5:8080", "", "", "");
	granted(d, call, 0, "", id);
}

void
grant_no(struct drive *d, uint16_t status, const char *message)
{
	granted(d, m_expect(d->authd, IMSG_GRANT)->id, status, message, 0);
}

int
stream_yes(struct drive *d)
{
	static uint64_t	n;
	uint32_t	call = m_expect(d->authd, IMSG_STREAM_OPEN)->id;
	int		sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
	    sv) == -1)
		err(1, "socketpair");
	m_begin(IMSG_STREAM_OPENED, call);
	m_u64(++n);
	m_send(d->authd, sv[1]);
	close(sv[1]);
	return (sv[0]);
}

void
stream_no(struct drive *d, uint16_t status, const char *message)
{
	uint32_t	call = m_expect(d->authd, IMSG_STREAM_OPEN)->id;

	m_begin(IMSG_STREAM_REFUSED, call);
	m_u16(status);
	m_str(message);
	m_send(d->authd, -1);
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
