/* SPDX-License-Identifier: ISC */
#include <sys/socket.h>
#include <sys/wait.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "proc/conf.h"
#include "fields.h"
#include "termd_drive.h"

struct drive	dr;
static uint8_t	message_buf[1 << 20];
static struct {
	uint8_t	data[IMSG_MAX];
	size_t	len;
} pk;

const char	drive_accept[] = "0123456789012345678901234567";
const char	drive_head[] =
    "GET /api/support-sessions/" SESSION "/terminal?ticket=abc HTTP/1.1\r\n"
    "Host: support.example.com\r\nConnection: Upgrade\r\n"
    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: faYVSnMKWmoWI91H/DuMrg==\r\n\r\n";

void
bail(const char *what)
{
	char	line[2048];
	ssize_t	n;

	while ((n = recv(dr.log, line, sizeof(line) - 1, MSG_DONTWAIT)) > 0)
		printf("# log: %.*s\n", (int)n - 1, line + 1);
	printf("Bail out! %s\n", what);
	exit(255);
}

uint64_t
now_ms(void)
{
	struct timespec	ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000);
}

/* Starting and ending. */

/* The leak check at exit ptraces itself, which the sandbox forbids. */
static void
no_leak_check(void)
{
	const char	*old = getenv("ASAN_OPTIONS");
	char		 options[1024];

	/* And memory that was given back is not to look like a leak. */
	snprintf(options, sizeof(options),
	    "%s:detect_leaks=0:quarantine_size_mb=1", old == NULL ? "" : old);
	setenv("ASAN_OPTIONS", options, 1);
}

static void
spawn(const char *build)
{
	char	path[1024], name[] = "termd-with-room-for-a-title";
	char	*argv[] = { name, NULL };
	int	parent[2], log[2], p, l;

	snprintf(path, sizeof(path), "%s/libexec/termd", build);
	if (imsg_pair(parent) == -1 || imsg_pair(log) == -1 ||
	    (dr.pid = fork()) == -1)
		bail("fork");
	if (dr.pid == 0) {
		/* Out of the way of 3 and 4 first. */
		p = fcntl(parent[1], F_DUPFD_CLOEXEC, 20);
		l = fcntl(log[1], F_DUPFD_CLOEXEC, 20);
		no_leak_check();
		if (dup2(p, PARENT_FD) == -1 || dup2(l, LOG_FD) == -1)
			_exit(127);
		execv(path, argv);
		_exit(127);
	}
	close(parent[1]);
	close(log[1]);
	dr.parent = parent[0];
	dr.log = log[0];
}

void
drive_start(const char *build)
{
	static uint8_t	blob[CHUNK_MAX];
	struct conf	conf;
	struct imsg	m;
	long		n;

	signal(SIGPIPE, SIG_IGN);
	memset(&dr, 0, sizeof(dr));
	dr.authd = dr.sock = dr.stream = -1;
	spawn(build);
	conf_init(&conf);
	if ((n = conf_pack(&conf, ROLE_TERMD, blob, sizeof(blob))) == -1)
		bail("conf_pack");
	pk_begin(IMSG_CONF);
	pk_blob(blob, (size_t)n);
	pk_send(dr.parent, -1);
	drive_channel();
	pk_begin(IMSG_START);
	pk_u32((uint32_t)getuid());
	pk_u32((uint32_t)getgid());
	pk_str("");
	pk_u8(1);
	pk_send(dr.parent, -1);
	drive_expect(dr.parent, IMSG_READY, &m);
}

void
drive_open(const char *build)
{
	drive_start(build);
	drive_give(drive_head, NULL, 0);
	drive_stream(1800);
	stream_put("OK\n", 3);
	if (browser_status() != 101)
		bail("no 101");
}

static void
shut(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

int
drive_wait(void)
{
	uint64_t	limit = now_ms() + WAIT_MS;
	int		status;

	while (waitpid(dr.pid, &status, WNOHANG) != dr.pid) {
		if (now_ms() > limit) {
			kill(dr.pid, SIGKILL);
			waitpid(dr.pid, &status, 0);
			bail("termd did not end");
		}
		poll(NULL, 0, 5);
	}
	shut(&dr.parent);
	shut(&dr.log);
	shut(&dr.authd);
	shut(&dr.sock);
	shut(&dr.stream);
	return (WIFSIGNALED(status) ? 128 + WTERMSIG(status) :
	    WEXITSTATUS(status));
}

int
drive_end(void)
{
	shut(&dr.sock);
	return (drive_wait());
}

/* Messages. */

static void
pk_add(const void *p, size_t n)
{
	if (n > sizeof(pk.data) - pk.len)
		bail("message too long");
	if (n > 0)
		memcpy(pk.data + pk.len, p, n);
	pk.len += n;
}

void
pk_begin(uint32_t type)
{
	pk.len = 0;
	pk_u32(type);
	pk_u32(0);
}

void
pk_u8(uint8_t v)
{
	pk_add(&v, sizeof(v));
}

void
pk_u16(uint16_t v)
{
	pk_add(&v, sizeof(v));
}

void
pk_u32(uint32_t v)
{
	pk_add(&v, sizeof(v));
}

void
pk_u64(uint64_t v)
{
	pk_add(&v, sizeof(v));
}

void
pk_blob(const void *p, size_t len)
{
	pk_u32((uint32_t)len);
	pk_add(p, len);
}

void
pk_str(const char *s)
{
	pk_blob(s, strlen(s));
	pk_u8(0);
}

void
pk_send(int sock, int fd)
{
	struct pollfd	pfd = { sock, POLLOUT, 0 };

	/* That it has gone is for the test to notice. */
	while (imsg_send(sock, pk.data, pk.len, fd) == -1 && errno == EAGAIN)
		if (poll(&pfd, 1, WAIT_MS) != 1)
			bail("termd reads no messages");
	shut(&fd);
}

void
drive_channel(void)
{
	int	sv[2];

	shut(&dr.authd);
	if (imsg_pair(sv) == -1)
		bail("socketpair");
	pk_begin(IMSG_CHANNEL);
	pk_send(dr.parent, sv[1]);
	dr.authd = sv[0];
}

/* A TCP connection over loopback, whose buffers are small. */
static void
connection(int sv[2])
{
	struct sockaddr_in	sin = { .sin_family = AF_INET };
	socklen_t		len = sizeof(sin);
	int			l, on = 1, size = 65536;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if ((l = socket(AF_INET, SOCK_STREAM, 0)) == -1 ||
	    setsockopt(l, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) == -1 ||
	    setsockopt(l, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) == -1 ||
	    bind(l, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    listen(l, 1) == -1 ||
	    getsockname(l, (struct sockaddr *)&sin, &len) == -1 ||
	    (sv[0] = socket(AF_INET, SOCK_STREAM, 0)) == -1 ||
	    setsockopt(sv[0], SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) ==
	    -1 ||
	    setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) ==
	    -1 ||
	    connect(sv[0], (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    (sv[1] = accept(l, NULL, NULL)) == -1)
		bail("loopback");
	close(l);
	setsockopt(sv[0], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static void
on_message(void *arg, int op, uint8_t *data, size_t len)
{
	(void)arg;
	(void)op;
	if (dr.n == MESSAGES_MAX || dr.total + len > sizeof(dr.got))
		bail("too many messages for the browser");
	memcpy(dr.got + dr.total, data, len);
	dr.got_len[dr.n++] = len;
	dr.total += len;
}

void
drive_give(const char *head, const void *more, size_t len)
{
	static uint8_t	bytes[GIVE_BYTES_MAX];
	int		sv[2];

	connection(sv);
	memcpy(bytes, head, strlen(head));
	if (len > 0)
		memcpy(bytes + strlen(head), more, len);
	pk_begin(IMSG_GIVE);
	pk_u8(CLASS_TERMINAL);
	pk_u64(77);
	pk_u64(5);
	pk_str("192.0.2.7");
	pk_str(drive_accept);
	pk_blob(bytes, strlen(head) + len);
	pk_send(dr.parent, sv[1]);
	dr.sock = sv[0];
	dr.msg.buf = message_buf;
	dr.msg.max = sizeof(message_buf);
	dr.msg.on_message = on_message;
	ws_init(&dr.ws, WS_CLIENT, &dr.msg);
}

void
drive_stream(uint32_t idle_s)
{
	int	sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
	    sv) == -1)
		bail("socketpair");
	pk_begin(IMSG_TERM_STREAM);
	pk_u64(9);
	pk_str(SESSION);
	pk_u32(idle_s);
	pk_send(dr.authd, sv[1]);
	dr.stream = sv[0];
}

void
drive_refuse(uint16_t status, const char *message)
{
	pk_begin(IMSG_TERM_REFUSE);
	pk_u16(status);
	pk_str(message);
	pk_send(dr.authd, -1);
}

void
drive_close(uint16_t code, const char *reason)
{
	pk_begin(IMSG_CLOSE);
	pk_u16(code);
	pk_str(reason);
	pk_send(dr.authd, -1);
}

/* Has it nothing left to do, not even a timer that is due? */
static int
asleep(void)
{
	char	 path[64], line[512], *p = NULL;
	FILE	*f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)dr.pid);
	if ((f = fopen(path, "r")) == NULL)
		return (1);
	if (fgets(line, sizeof(line), f) != NULL)
		p = strrchr(line, ')');
	fclose(f);
	return (p == NULL || p[2] != 'R');
}

/* Move the clock; what became due has run when this returns. */
void
drive_clock(uint64_t ms)
{
	struct imsg	m;

	pk_begin(IMSG_CLOCK);
	pk_u64(ms);
	pk_send(dr.parent, -1);
	pk_begin(IMSG_TRY);
	memset(pk.data + 4, 1, 4);	/* a request's id */
	pk_u8(TRY_OPEN);
	pk_send(dr.parent, -1);
	/* The answer says that it was read; sleep, that it was acted on. */
	if (!drive_get(dr.parent, &m))
		return;
	while (!asleep())
		poll(NULL, 0, 1);
}

int
drive_get(int sock, struct imsg *m)
{
	struct pollfd	 pfd = { sock, POLLIN, 0 };
	const char	*reason;
	long		 n;
	int		 fd;

	for (;;) {
		memset(m, 0, sizeof(*m));
		n = imsg_recv(sock, dr.packet, &fd);
		if (n == -1 && errno == ECONNRESET)
			continue;
		if (n == -1 && errno == EAGAIN) {
			if (poll(&pfd, 1, WAIT_MS) != 1)
				bail("no message from termd");
			continue;
		}
		if (n <= 0)
			return (0);
		if (fd != -1 || imsg_parse(m, dr.packet, (size_t)n,
		    &reason) == -1)
			bail("bad message from termd");
		m->fd = -1;
		return (1);
	}
}

void
drive_expect(int sock, uint32_t type, struct imsg *m)
{
	if (!drive_get(sock, m) || m->type != type) {
		printf("# got %s\n", imsg_name(m->type));
		bail(imsg_name(type));
	}
}

int
drive_term_end(char *text)
{
	char		own[MESSAGE_SIZE] = "";
	struct imsg	m;
	uint8_t		reason;

	drive_expect(dr.authd, IMSG_TERM_END, &m);
	if (m_get_u8(&m, &reason) == -1 || m_get_str(&m, text != NULL ? text :
	    own, MESSAGE_SIZE) == -1 || m_end(&m) == -1)
		bail("bad TERM_END");
	return (reason);
}

int
drive_hung_up(int sock)
{
	struct imsg	m;

	while (drive_get(sock, &m))
		continue;
	return (1);
}

/* The browser. */

int
browser_status(void)
{
	struct pollfd	pfd = { dr.sock, POLLIN, 0 };
	size_t		len = 0;
	int		status = -1;

	/* Byte by byte: what follows a 101 is frames. */
	while (len < sizeof(dr.head) - 1) {
		if (poll(&pfd, 1, WAIT_MS) != 1)
			bail("no reply to the upgrade");
		if (recv(dr.sock, dr.head + len, 1, 0) <= 0)
			break;
		dr.head[++len] = '\0';
		if (strncmp(dr.head, "HTTP/1.1 101", 12) == 0 && len > 4 &&
		    strcmp(dr.head + len - 4, "\r\n\r\n") == 0)
			break;
	}
	(void)sscanf(dr.head, "HTTP/1.1 %d", &status);
	return (status);
}

/* Read what is there; 1 if something came within `ms`. */
static int
browser_fill(int ms)
{
	static uint8_t	 buf[65536];
	struct pollfd	 pfd = { dr.sock, POLLIN, 0 };
	ssize_t		 n;

	if (dr.eof || poll(&pfd, 1, ms) != 1)
		return (0);
	if ((n = recv(dr.sock, buf, sizeof(buf), MSG_DONTWAIT)) <= 0) {
		dr.eof = n == 0 || errno != EAGAIN;
		return (0);
	}
	if (ws_input(&dr.ws, buf, (size_t)n, NULL) == -1)
		bail(ws_error(&dr.ws));
	return (1);
}

void
browser_raw(const void *p, size_t len)
{
	struct pollfd	 pfd = { dr.sock, POLLOUT, 0 };
	const uint8_t	*at = p;
	ssize_t		 n;

	while (len > 0) {
		n = send(dr.sock, at, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0) {
			at += n;
			len -= (size_t)n;
		} else if (n == -1 && errno != EAGAIN)
			return;		/* reading will tell */
		else if (poll(&pfd, 1, WAIT_MS) != 1)
			bail("termd does not read the browser");
	}
}

void
browser_frame(int fin, int op, const void *p, size_t len)
{
	static const uint8_t	 key[4] = { 0x37, 0xfa, 0x21, 0x3d };
	uint8_t			*buf;
	size_t			 n;

	if ((buf = malloc(WS_HEADER_MAX + len)) == NULL)
		bail("memory");
	n = ws_header(buf, (enum ws_opcode)op, len, key);
	if (!fin)
		buf[0] &= 0x7f;
	if (len > 0) {
		memcpy(buf + n, p, len);
		ws_mask(buf + n, len, key, 0);
	}
	browser_raw(buf, n + len);
	free(buf);
}

void
browser_send(const void *p, size_t len)
{
	browser_frame(1, WS_OP_BINARY, p, len);
}

int
browser_wait(size_t n)
{
	uint64_t	limit = now_ms() + WAIT_MS;

	while (dr.n < n) {
		if (!browser_fill(50) && dr.eof)
			return (0);
		if (now_ms() > limit)
			bail("no message for the browser");
	}
	return (1);
}

const uint8_t *
browser_message(size_t i, size_t *len)
{
	size_t	k, off = 0;

	if (i >= dr.n)
		bail("no such message");
	for (k = 0; k < i; k++)
		off += dr.got_len[k];
	*len = dr.got_len[i];
	return (dr.got + off);
}

int
browser_red(size_t i, const char *text)
{
	const uint8_t	*p;
	size_t		 len;

	if (i >= dr.n)
		return (0);
	p = browser_message(i, &len);
	if (len == strlen(text) + 1 && p[0] == 3 &&
	    memcmp(p + 1, text, len - 1) == 0)
		return (1);
	printf("# got type %d: %.*s\n", p[0], (int)len - 1, p + 1);
	return (0);
}

int
browser_closed(void)
{
	uint64_t	limit = now_ms() + WAIT_MS;

	while (!dr.eof && ws_peer_code(&dr.ws) == 0) {
		(void)browser_fill(50);
		if (now_ms() > limit)
			bail("no close for the browser");
	}
	return (ws_peer_code(&dr.ws));
}

/* The stream. */

void
stream_put(const void *p, size_t len)
{
	struct pollfd	 pfd = { dr.stream, POLLOUT, 0 };
	const uint8_t	*at = p;
	ssize_t		 n;

	while (len > 0) {
		n = send(dr.stream, at, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0) {
			at += n;
			len -= (size_t)n;
		} else if (n == -1 && errno != EAGAIN)
			return;
		else if (poll(&pfd, 1, WAIT_MS) != 1)
			bail("termd does not read the stream");
	}
}

void
stream_frame(const void *p, size_t len)
{
	uint8_t	head[4] = { (uint8_t)(len >> 24), (uint8_t)(len >> 16),
		    (uint8_t)(len >> 8), (uint8_t)len };

	stream_put(head, sizeof(head));
	stream_put(p, len);
}

int
stream_got(const void *want, size_t len)
{
	struct pollfd	 pfd = { dr.stream, POLLIN, 0 };
	uint8_t		*buf;
	size_t		 done = 0;
	ssize_t		 n;
	int		 same;

	if ((buf = malloc(len + 1)) == NULL)
		bail("memory");
	while (done < len) {
		if (poll(&pfd, 1, WAIT_MS) != 1)
			bail("nothing on the stream");
		n = recv(dr.stream, buf + done, len - done, 0);
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	same = done == len && memcmp(buf, want, len) == 0;
	free(buf);
	return (same);
}

int
stream_ended(void)
{
	struct pollfd	pfd = { dr.stream, POLLIN, 0 };
	uint8_t		buf[4096];
	uint64_t	limit = now_ms() + WAIT_MS;
	ssize_t		n;

	while (now_ms() < limit && poll(&pfd, 1, 100) != -1) {
		n = recv(dr.stream, buf, sizeof(buf), 0);
		if (n == 0 || (n == -1 && errno != EAGAIN))
			return (1);
	}
	return (0);
}
