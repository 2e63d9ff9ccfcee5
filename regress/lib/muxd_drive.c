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
#include "muxd_drive.h"

#define IN_MAX		(8 << 20)

static void	bail(const char *, const char *);
static void	spawn(struct drive *, const char *);
static void	configure(struct drive *);
static void	connection(int [2]);
static int	client_fill(struct drive *, int);

const char drive_head[] =
    "GET /api/tunnel HTTP/1.1\r\n"
    "Host: support.example.net\r\n"
    "User-Agent: Go-http-client/1.1\r\n"
    "Authorization: Basic TkVUSC1BQUFBLUJCQkI6bXlfcHViLnNzc3Nzc3Nzc3Nz"
    "c3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3M=\r\n"
    "Connection: Upgrade\r\n"
    "Sec-WebSocket-Key: faYVSnMKWmoWI91H/DuMrg==\r\n"
    "Sec-WebSocket-Version: 13\r\n"
    "Upgrade: websocket\r\n\r\n";

static void
bail(const char *what, const char *more)
{
	printf("Bail out! %s %s\n", what, more == NULL ? "" : more);
	fflush(stdout);
	exit(255);
}

uint64_t
now_ms(void)
{
	struct timespec	ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000);
}

/* Starting. */

/* The leak check at exit ptraces itself, which the sandbox forbids. */
static void
no_leak_check(void)
{
	const char	*old = getenv("ASAN_OPTIONS");
	char		 options[1024];

	snprintf(options, sizeof(options), "%s%sdetect_leaks=0",
	    old == NULL ? "" : old, old == NULL ? "" : ":");
	setenv("ASAN_OPTIONS", options, 1);
}

static void
spawn(struct drive *d, const char *dir)
{
	char	path[1024];
	char	pad[] = "muxd-with-room-for-a-title-that-shows-its-state";
	char	*argv[] = { pad, NULL };
	int	parent[2], log[2];

	snprintf(path, sizeof(path), "%s/libexec/muxd", dir);
	if (imsg_pair(parent) == -1 || imsg_pair(log) == -1)
		bail("socketpair", NULL);
	if ((d->pid = fork()) == -1)
		bail("fork", NULL);
	if (d->pid == 0) {
		/* Out of the way of 3 and 4 first. */
		int	p = fcntl(parent[1], F_DUPFD, 20);
		int	l = fcntl(log[1], F_DUPFD, 20);

		no_leak_check();
		if (dup2(p, PARENT_FD) == -1 || dup2(l, LOG_FD) == -1)
			_exit(127);
		execv(path, argv);
		_exit(127);
	}
	close(parent[1]);
	close(log[1]);
	d->parent = parent[0];
	d->log = log[0];
	d->authd = d->sock = -1;
}

static void
configure(struct drive *d)
{
	static uint8_t	blob[CHUNK_MAX];
	struct conf	conf;
	struct imsg	m;
	long		n;

	conf_init(&conf);
	if ((n = conf_pack(&conf, ROLE_MUXD, blob, sizeof(blob))) == -1)
		bail("conf_pack", NULL);
	pk_begin(d, IMSG_CONF, 0);
	pk_blob(d, blob, (size_t)n);
	pk_send(d, d->parent, -1);
	drive_new_authd(d);
	pk_begin(d, IMSG_START, 0);
	pk_u32(d, (uint32_t)getuid());
	pk_u32(d, (uint32_t)getgid());
	pk_str(d, "");
	pk_u8(d, 1);
	pk_send(d, d->parent, -1);
	drive_expect(d, d->parent, IMSG_READY, &m);
}

void
drive_new_authd(struct drive *d)
{
	int	sv[2];

	if (d->authd != -1)
		close(d->authd);
	if (imsg_pair(sv) == -1)
		bail("socketpair", NULL);
	pk_begin(d, IMSG_CHANNEL, 0);
	pk_send(d, d->parent, sv[1]);
	d->authd = sv[0];
}

void
drive_start(struct drive *d, const char *dir)
{
	signal(SIGPIPE, SIG_IGN);
	memset(d, 0, sizeof(*d));
	d->answer_pings = 1;
	spawn(d, dir);
	configure(d);
}

/* A TCP connection over loopback. */
static void
connection(int sv[2])
{
	struct sockaddr_in	sin = { .sin_family = AF_INET };
	socklen_t		len = sizeof(sin);
	int			l, on = 1;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if ((l = socket(AF_INET, SOCK_STREAM, 0)) == -1 ||
	    bind(l, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    listen(l, 1) == -1 ||
	    getsockname(l, (struct sockaddr *)&sin, &len) == -1 ||
	    (sv[0] = socket(AF_INET, SOCK_STREAM, 0)) == -1 ||
	    connect(sv[0], (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    (sv[1] = accept(l, NULL, NULL)) == -1)
		bail("loopback", strerror(errno));
	close(l);
	setsockopt(sv[0], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	/* Left blocking, as a proxyd that means harm may leave it. */
}

void
drive_give(struct drive *d, const char *head, const void *more,
    size_t more_len)
{
	static uint8_t	bytes[GIVE_BYTES_MAX];
	size_t		len = strlen(head);
	int		sv[2];

	connection(sv);
	memcpy(bytes, head, len);
	if (more_len > 0)
		memcpy(bytes + len, more, more_len);
	pk_begin(d, IMSG_GIVE, 0);
	pk_u8(d, CLASS_TUNNEL);
	pk_u64(d, 77);
	pk_u64(d, 0);
	pk_str(d, "192.0.2.7");
	pk_str(d, "0123456789012345678901234567");
	pk_blob(d, bytes, len + more_len);
	pk_send(d, d->parent, sv[1]);
	d->sock = sv[0];
	ws_init(&d->ws, WS_CLIENT, NULL);
}

void
drive_up(struct drive *d, const char *dir)
{
	struct imsg	m;

	drive_start(d, dir);
	drive_give(d, drive_head, NULL, 0);
	drive_expect(d, d->authd, IMSG_LOGIN, &m);
	pk_begin(d, IMSG_LOGIN_RESULT, m.id);
	pk_u16(d, 0);
	pk_u32(d, 0);
	pk_str(d, "");
	pk_str(d, "3f2a0000-1111-4222-8333-444455556666");
	pk_str(d, "00112233445566778899aabbccddeeff"
	    "00112233445566778899aabbccddeeff");
	pk_str(d, "sys-1");
	pk_send(d, d->authd, -1);
	if (drive_reply(d) != 101)
		bail("no 101:", d->head);
	drive_expect(d, d->authd, IMSG_UP, &m);
}

int
drive_reply(struct drive *d)
{
	struct pollfd	pfd = { d->sock, POLLIN, 0 };
	size_t		len = 0;
	int		status = 0;

	/* Byte by byte: what follows the head belongs to the tunnel. */
	while (len < sizeof(d->head) - 1) {
		if (poll(&pfd, 1, WAIT_MS) != 1)
			bail("no reply to the upgrade", NULL);
		if (recv(d->sock, d->head + len, 1, 0) <= 0)
			break;
		d->head[++len] = '\0';
		if (strncmp(d->head, "HTTP/1.1 101", 12) == 0 && len > 4 &&
		    strcmp(d->head + len - 4, "\r\n\r\n") == 0)
			break;
	}
	if (sscanf(d->head, "HTTP/1.1 %d", &status) != 1)
		return (-1);
	return (status);
}

int
drive_wait(struct drive *d)
{
	uint64_t	limit = now_ms() + WAIT_MS;
	int		status;

	while (waitpid(d->pid, &status, WNOHANG) != d->pid) {
		if (now_ms() > limit) {
			kill(d->pid, SIGKILL);
			waitpid(d->pid, &status, 0);
			bail("muxd did not end", NULL);
		}
		poll(NULL, 0, 5);
	}
	(void)drive_logged(d, "");
	close(d->parent);
	close(d->log);
	if (d->authd != -1)
		close(d->authd);
	if (d->sock != -1)
		close(d->sock);
	free(d->in);
	free(d->raw);
	d->in = d->raw = NULL;
	d->pid = 0;
	if (WIFSIGNALED(status))
		return (128 + WTERMSIG(status));
	return (WEXITSTATUS(status));
}

int
drive_end(struct drive *d)
{
	if (d->sock != -1)
		close(d->sock);
	else
		close(d->parent), d->parent = -1;
	d->sock = -1;
	return (drive_wait(d));
}

int
drive_logged(struct drive *d, const char *text)
{
	struct pollfd	pfd = { d->log, POLLIN, 0 };
	uint64_t	limit = now_ms() + WAIT_MS;
	char		line[2048];
	size_t		used;
	ssize_t		n;

	for (;;) {
		while ((n = recv(d->log, line, sizeof(line) - 1,
		    MSG_DONTWAIT)) > 0) {
			line[n] = '\0';
			used = strlen(d->log_text);
			if (getenv("MUXD_LOG") != NULL)
				printf("# log: %s\n", line + 1);
			snprintf(d->log_text + used, sizeof(d->log_text) - used,
			    "%s\n", line + 1);
		}
		if (strstr(d->log_text, text) != NULL)
			return (1);
		if (n == 0 || now_ms() > limit)
			return (0);
		poll(&pfd, 1, 100);
	}
}

/* Messages. */

static void
pk_add(struct drive *d, const void *p, size_t n)
{
	if (n > sizeof(d->build) - d->build_len)
		bail("message too long", NULL);
	if (n > 0)
		memcpy(d->build + d->build_len, p, n);
	d->build_len += n;
}

void
pk_begin(struct drive *d, uint32_t type, uint32_t id)
{
	d->build_len = 0;
	pk_u32(d, type);
	pk_u32(d, id);
}

void
pk_u8(struct drive *d, uint8_t v)
{
	pk_add(d, &v, sizeof(v));
}

void
pk_u16(struct drive *d, uint16_t v)
{
	pk_add(d, &v, sizeof(v));
}

void
pk_u32(struct drive *d, uint32_t v)
{
	pk_add(d, &v, sizeof(v));
}

void
pk_u64(struct drive *d, uint64_t v)
{
	pk_add(d, &v, sizeof(v));
}

void
pk_blob(struct drive *d, const void *p, size_t len)
{
	pk_u32(d, (uint32_t)len);
	pk_add(d, p, len);
}

void
pk_str(struct drive *d, const char *s)
{
	pk_blob(d, s, strlen(s));
	pk_u8(d, 0);
}

void
pk_send(struct drive *d, int sock, int fd)
{
	struct pollfd	pfd = { sock, POLLOUT, 0 };

	while (imsg_send(sock, d->build, d->build_len, fd) == -1) {
		if (errno != EAGAIN || poll(&pfd, 1, WAIT_MS) != 1)
			bail("message to muxd:", strerror(errno));
	}
	if (fd != -1)
		close(fd);
}

int
drive_maybe(struct drive *d, int sock, uint32_t type, struct imsg *m, int ms)
{
	struct pollfd	 pfd = { sock, POLLIN, 0 };
	uint64_t	 limit = now_ms() + (uint64_t)ms;
	const char	*reason;
	long		 n;
	int		 fd;

	for (;;) {
		memset(m, 0, sizeof(*m));
		n = imsg_recv(sock, d->packet, &fd);
		if (n == -1 && errno == EAGAIN) {
			uint64_t	now = now_ms();

			if (now > limit ||
			    poll(&pfd, 1, (int)(limit - now) + 1) == 0)
				return (0);
			continue;
		}
		if (n <= 0)
			return (0);
		if (imsg_parse(m, d->packet, (size_t)n, &reason) == -1)
			bail("bad message:", reason);
		if (fd != -1)
			close(fd);
		m->fd = -1;
		if (m->type == type)
			return (1);
	}
}

void
drive_expect(struct drive *d, int sock, uint32_t type, struct imsg *m)
{
	if (drive_maybe(d, sock, type, m, WAIT_MS))
		return;
	(void)drive_logged(d, "");
	printf("# log: %s\n", d->log_text);
	bail("muxd did not say", imsg_name(type));
}

void
drive_clock(struct drive *d, uint64_t ms)
{
	pk_begin(d, IMSG_CLOCK, 0);
	pk_u64(d, ms);
	pk_send(d, d->parent, -1);
}

void
drive_pass(struct drive *d, uint64_t ms)
{
	struct frame	f;
	uint64_t	step;
	int		i, pongs;

	for (; ms > 0; ms -= step) {
		step = ms > 5000 ? 5000 : ms;
		drive_clock(d, step);
		/* Timers fire one turn after the clock moved: two rounds. */
		for (i = 0; i < 2; i++) {
			pongs = d->pongs;
			client_frame(d, YM_PING, YM_SYN, 0, 0, NULL, 0);
			while (d->pongs == pongs && client_next(d, &f, WAIT_MS))
				continue;
		}
	}
}

/* The client. */

void
client_raw(struct drive *d, const void *p, size_t len)
{
	struct pollfd	pfd = { d->sock, POLLIN | POLLOUT, 0 };
	const uint8_t	*at = p;
	ssize_t		 n;

	while (len > 0) {
		n = send(d->sock, at, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0) {
			at += n;
			len -= (size_t)n;
			continue;
		}
		if (n == -1 && errno != EAGAIN)
			return;		/* reading will tell */
		/* Both must go on, or two full pipes wait for each other. */
		if (poll(&pfd, 1, WAIT_MS) != 1)
			bail("muxd does not read", NULL);
		if (pfd.revents & POLLIN)
			(void)client_fill(d, 0);
	}
}

void
client_send(struct drive *d, const void *p, size_t len)
{
	static const uint8_t	 key[4] = { 0x37, 0xfa, 0x21, 0x3d };
	uint8_t			*buf;
	size_t			 n;

	if ((buf = malloc(WS_HEADER_MAX + len)) == NULL)
		bail("memory", NULL);
	n = ws_header(buf, WS_OP_BINARY, len, key);
	if (len > 0) {
		memcpy(buf + n, p, len);
		ws_mask(buf + n, len, key, 0);
	}
	client_raw(d, buf, n + len);
	free(buf);
}

void
client_frame(struct drive *d, int type, int flags, uint32_t id, uint32_t len,
    const void *data, size_t data_len)
{
	uint8_t	*buf;
	int	 i;

	if ((buf = malloc(12 + data_len)) == NULL)
		bail("memory", NULL);
	buf[0] = 0;
	buf[1] = (uint8_t)type;
	buf[2] = (uint8_t)(flags >> 8);
	buf[3] = (uint8_t)flags;
	for (i = 0; i < 4; i++) {
		buf[4 + i] = (uint8_t)(id >> (24 - 8 * i));
		buf[8 + i] = (uint8_t)(len >> (24 - 8 * i));
	}
	if (data_len > 0)
		memcpy(buf + 12, data, data_len);
	client_send(d, buf, 12 + data_len);
	free(buf);
}

void
client_control(struct drive *d, uint32_t id, const char *header,
    const void *body, size_t len)
{
	struct frame	f;
	size_t		n, off, hlen = strlen(header);
	size_t		window = 262144 - hlen;

	client_frame(d, YM_WINDOW, YM_SYN, id, 0, NULL, 0);
	if (hlen > 0)
		client_frame(d, YM_DATA, 0, id, (uint32_t)hlen, header, hlen);
	for (off = 0; off < len; off += n) {
		n = len - off > 100000 ? 100000 : len - off;
		while (window < n && client_next(d, &f, WAIT_MS))
			if (f.id == id && f.type == YM_WINDOW)
				window += f.len;
		client_frame(d, YM_DATA, 0, id, (uint32_t)n,
		    (const uint8_t *)body + off, n);
		window -= n;
	}
	client_frame(d, YM_WINDOW, YM_FIN, id, 0, NULL, 0);
}

/* Read what is there into d->in, decoded. 1 if something came. */
static int
client_fill(struct drive *d, int ms)
{
	static uint8_t	 buf[65536];
	struct pollfd	 pfd = { d->sock, POLLIN, 0 };
	size_t		 payload = 0;
	ssize_t		 n;

	if (d->eof || poll(&pfd, 1, ms) != 1)
		return (0);
	if ((n = recv(d->sock, buf, sizeof(buf), MSG_DONTWAIT)) <= 0) {
		d->eof = n == 0 || errno != EAGAIN;
		return (0);
	}
	if (d->record) {
		if (d->raw == NULL && (d->raw = malloc(1 << 20)) == NULL)
			bail("memory", NULL);
		if (d->raw_len + (size_t)n <= 1 << 20) {
			memcpy(d->raw + d->raw_len, buf, (size_t)n);
			d->raw_len += (size_t)n;
		}
	}
	if (ws_input(&d->ws, buf, (size_t)n, &payload) == -1)
		bail("server's WebSocket:", ws_error(&d->ws));
	if (d->in_off == d->in_len)
		d->in_off = d->in_len = 0;
	if (d->in_off > 0 && d->in_len + payload > d->in_cap) {
		memmove(d->in, d->in + d->in_off, d->in_len - d->in_off);
		d->in_len -= d->in_off;
		d->in_off = 0;
	}
	if (d->in_len + payload > d->in_cap) {
		d->in_cap = d->in_len + payload + (1 << 20);
		if (d->in_cap > IN_MAX ||
		    (d->in = realloc(d->in, d->in_cap)) == NULL)
			bail("server sends too much", NULL);
	}
	if (payload > 0)
		memcpy(d->in + d->in_len, buf, payload);
	d->in_len += payload;
	return (1);
}

static uint32_t
be32(const uint8_t *p)
{
	return ((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3]);
}

int
client_next(struct drive *d, struct frame *f, int ms)
{
	uint64_t	 limit = now_ms() + (uint64_t)ms;
	uint8_t		*p;
	size_t		 have;

	for (;;) {
		have = d->in_len - d->in_off;
		p = d->in + d->in_off;
		if (have >= 12) {
			f->type = p[1];
			f->flags = (uint16_t)(p[2] << 8 | p[3]);
			f->id = be32(p + 4);
			f->len = be32(p + 8);
			f->data = p + 12;
			if (f->type != YM_DATA || have >= 12 + f->len)
				break;
		}
		if (!client_fill(d, ms < 50 ? ms : 50) &&
		    (d->eof || now_ms() >= limit))
			return (0);
	}
	d->in_off += 12 + (f->type == YM_DATA ? f->len : 0);
	if (f->type != YM_PING)
		return (1);
	if (f->flags & YM_SYN) {
		d->pings++;
		if (d->answer_pings)
			client_frame(d, YM_PING, YM_ACK, 0, f->len, NULL, 0);
	} else
		d->pongs++;
	return (1);
}

int
client_expect(struct drive *d, uint32_t id, int flags, struct frame *f)
{
	while (client_next(d, f, WAIT_MS)) {
		if (f->id != id || f->type == YM_PING)
			continue;
		if (flags == 0 ? f->type == YM_DATA && f->len > 0 :
		    (f->flags & flags) != 0)
			return (1);
	}
	return (0);
}

int
client_closed(struct drive *d)
{
	struct frame	f;

	while (!d->eof && ws_peer_code(&d->ws) == 0 &&
	    client_next(d, &f, WAIT_MS))
		continue;
	return (ws_peer_code(&d->ws));
}

/* Askers. */

int
asker_open_with(struct drive *d, uint64_t stream, const char *service,
    const char *request)
{
	struct timeval	tv = { WAIT_MS / 1000, 0 };
	int		sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == -1)
		bail("socketpair", NULL);
	fcntl(sv[1], F_SETFL, O_NONBLOCK);
	setsockopt(sv[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(sv[0], SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	if (request[0] != '\0' && write(sv[0], request, strlen(request)) !=
	    (ssize_t)strlen(request))
		bail("asker", NULL);
	pk_begin(d, IMSG_STREAM_BRIDGE, 0);
	pk_u64(d, stream);
	pk_str(d, service);
	pk_blob(d, "tag", 3);
	pk_send(d, d->authd, sv[1]);
	return (sv[0]);
}

int
asker_open(struct drive *d, uint64_t stream, const char *service)
{
	return (asker_open_with(d, stream, service, ""));
}

size_t
asker_read(int fd, void *buf, size_t len)
{
	size_t	done = 0;
	ssize_t	n;

	while (done < len) {
		n = recv(fd, (uint8_t *)buf + done, len - done, 0);
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return (done);
}

/* Memory. */

static long
status_kib(pid_t pid, const char *file, const char *key)
{
	char	 path[64], line[256];
	FILE	*f;
	long	 kib = 0, v;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	if ((f = fopen(path, "r")) == NULL)
		return (-1);
	while (fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, key, strlen(key)) == 0 &&
		    sscanf(line + strlen(key), " %ld", &v) == 1)
			kib += v;
	fclose(f);
	return (kib);
}

long
process_rss(pid_t pid)
{
	return (status_kib(pid, "status", "VmRSS:"));
}

long
process_cost(pid_t pid)
{
	/* Pages of the program that were never written are shared by all. */
	return (status_kib(pid, "smaps_rollup", "Anonymous:") +
	    status_kib(pid, "status", "VmPTE:") + 16);
}
