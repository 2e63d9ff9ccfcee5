/* SPDX-License-Identifier: ISC */
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <linux/sockios.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "drive.h"

#define LOG_MAX		(8 << 20)
#define KEY		"0123456789abcdef0123456789abcdef-test-key\n"

struct drive_with	drive_with;
char			drive_text[LOG_MAX];
void			(*drive_dropped)(const struct imsg *);

static size_t		text_len;
static FILE		*kept[2];	/* in $RELAYD_LOGS, see tools/logged */
static const struct drive	*running;	/* whose log bail() shows */

void
bail(const char *fmt, ...)
{
	size_t	from;
	va_list	ap;

	if (running != NULL)
		(void)drive_logged(running, "");
	from = text_len > 4096 ? text_len - 4096 : 0;
	printf("# log: %s\nBail out! ", drive_text + from);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	if (running != NULL && running->pid > 0)
		kill(running->pid, SIGKILL);
	exit(255);
}

uint64_t
now_ms(void)
{
	struct timespec	ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000);
}

void
shut(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

void
stream_pair(int sv[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
	    sv) == -1)
		bail("socketpair");
}

static int
tcp_socket(int size)
{
	int	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd == -1 || (size > 0 && (setsockopt(fd, SOL_SOCKET, SO_SNDBUF,
	    &size, sizeof(size)) == -1 || setsockopt(fd, SOL_SOCKET, SO_RCVBUF,
	    &size, sizeof(size)) == -1)))
		bail("socket: %s", strerror(errno));
	return (fd);
}

static int
listen_any(struct sockaddr_in *sin, int size)
{
	socklen_t	len = sizeof(*sin);
	int		fd = tcp_socket(size), one = 1;

	memset(sin, 0, sizeof(*sin));
	sin->sin_family = AF_INET;
	sin->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == -1 ||
	    bind(fd, (struct sockaddr *)sin, sizeof(*sin)) == -1 ||
	    listen(fd, 256) == -1 ||
	    getsockname(fd, (struct sockaddr *)sin, &len) == -1)
		bail("listen: %s", strerror(errno));
	return (fd);
}

void
loopback_pair(int sv[2], int size)
{
	struct sockaddr_in	sin;
	int			l = listen_any(&sin, size), on = 1;

	sv[0] = tcp_socket(size);
	if (connect(sv[0], (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    (sv[1] = accept(l, NULL, NULL)) == -1)
		bail("loopback: %s", strerror(errno));
	close(l);
	setsockopt(sv[0], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	/* Left blocking, as a proxyd that means harm may leave it. */
}

void
put_bytes(int fd, const void *p, size_t len)
{
	struct pollfd	 pfd = { fd, POLLOUT, 0 };
	const char	*s = p;
	ssize_t		 n;

	while (len > 0) {
		n = send(fd, s, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0) {
			s += n;
			len -= (size_t)n;
		} else if (n == -1 && errno != EAGAIN)
			return;		/* reading will tell */
		else if (poll(&pfd, 1, WAIT_MS) != 1)
			bail("what is written is not read");
	}
}

/* What is left for tools/logged: lines of the log, and secrets. */
static FILE *
keep(int secrets)
{
	const char	*dir = getenv("RELAYD_LOGS");
	char		 path[1024];

	if (dir == NULL || kept[secrets] != NULL)
		return (kept[secrets]);
	snprintf(path, sizeof(path), "%s/%s-%d.%s", dir,
	    program_invocation_short_name, (int)getpid(),
	    secrets ? "secrets" : "log");
	if ((kept[secrets] = fopen(path, "ae")) == NULL)
		bail("%s: %s", path, strerror(errno));
	return (kept[secrets]);
}

void
drive_secret(const char *name, const char *value)
{
	FILE	*f;

	if (strpbrk(value, "\n\t") == NULL && (f = keep(1)) != NULL &&
	    (fprintf(f, "%s\t%s\n", name, value) < 0 || fflush(f) == EOF))
		bail("secrets: %s", strerror(errno));
}

/* Each field of a message that is one. */
static void
keep_secrets(uint32_t type, const void *m)
{
	const struct msg_field	*f;
	const char		*value;
	char			 name[64];

	for (f = msg_fields(type); f->name[0] != '\0'; f++) {
		if (f->kind != FIELD_SECRET)
			continue;
		memcpy(&value, (const char *)m + f->offset, sizeof(value));
		snprintf(name, sizeof(name), "%s of %s", f->name,
		    imsg_name(type));
		if (value != NULL)
			drive_secret(name, value);
	}
}

/* Starting. */

static void
run_child(int role, int parent, int logfd)
{
	const char	*build = drive_with.build, *asan;
	char		 path[1024], options[1024], name[64];
	char		*argv[] = { name, NULL };
	struct rlimit	 rl;

	if (build == NULL && (build = getenv("RELAYD_BUILD")) == NULL)
		build = ".";
	snprintf(path, sizeof(path), "%s/libexec/%s", build, role_name(role));
	snprintf(name, sizeof(name), "%s-with-room-for-a-title-that-shows-"
	    "its-state", role_name(role));
	/* A sandboxed process cannot be stopped and searched for leaks. */
	asan = getenv("ASAN_OPTIONS");
	snprintf(options, sizeof(options), "%s:detect_leaks=0%s",
	    asan != NULL ? asan : "",
	    drive_with.asan != NULL ? drive_with.asan : "");
	setenv("ASAN_OPTIONS", options, 1);
	if (role_info(role)->many == MANY_DEMAND)
		putenv((char *)(uintptr_t)LEAN_HEAP);
	if (drive_with.files != 0) {
		rl.rlim_cur = rl.rlim_max = drive_with.files;
		(void)setrlimit(RLIMIT_NOFILE, &rl);
	}
	/* Out of the way of 3 and 4 first. */
	parent = fcntl(parent, F_DUPFD_CLOEXEC, 20);
	logfd = fcntl(logfd, F_DUPFD_CLOEXEC, 20);
	if (dup2(parent, PARENT_FD) == -1 || dup2(logfd, LOG_FD) == -1)
		_exit(126);
	execv(path, argv);
	_exit(127);
}

static void
spawn(struct drive *d)
{
	int	pp[2], lp[2];

	if (imsg_pair(pp) == -1 || imsg_pair(lp) == -1)
		bail("socketpair");
	(void)fflush(stdout);
	if ((d->pid = fork()) == -1)
		bail("fork");
	if (d->pid == 0)
		run_child(d->role, pp[1], lp[1]);
	close(pp[1]);
	close(lp[1]);
	d->parent = pp[0];
	d->log = lp[0];
}

static void
give_key(struct drive *d, enum key_kind kind)
{
	int	fd = memfd_create("key", MFD_CLOEXEC);

	if (fd == -1 || fchmod(fd, 0600) == -1 ||
	    write(fd, KEY, strlen(KEY)) == -1 || lseek(fd, 0, SEEK_SET) == -1)
		bail("key file");
	say_fd(d->parent, 0, fd, keyfile, .kind = (uint8_t)kind);
}

static void
give_doors(struct drive *d, unsigned has)
{
	static const uint32_t	doors[DRIVE_DOORS] = { 0, LISTEN_INTERNAL,
	    LISTEN_TUNNEL }, tls[DRIVE_DOORS] = { LISTEN_TLS,
	    LISTEN_TLS | LISTEN_PEER };
	const uint32_t		*flags = has & RF_TLS ? tls : doors;
	struct sockaddr_in	 sin;
	int			 i, n = has & RF_TLS ? 2 : DRIVE_DOORS;

	for (i = 0; i < n; i++) {
		d->lfd[i] = listen_any(&sin, 0);
		d->port[i] = ntohs(sin.sin_port);
		say_fd(d->parent, 0, dup(d->lfd[i]), listener,
		    .flags = flags[i] | drive_with.flags,
		    .addr = "127.0.0.1");
	}
}

void
drive_start(struct drive *d, int role, const struct conf *cf)
{
	static uint8_t	buf[CHUNK_MAX];
	unsigned	has = role_info(role)->flags;
	char		root[PATH_SIZE] = "", *slash;
	long		n;
	int		i;

	signal(SIGPIPE, SIG_IGN);
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	d->role = role;
	d->authd = -1;
	for (i = 0; i < DRIVE_DOORS; i++)
		d->lfd[i] = -1;
	running = d;
	spawn(d);
	if ((n = conf_pack(cf, role, buf, sizeof(buf))) == -1)
		bail("conf_pack");
	say(d->parent, conf, .conf = { buf, (size_t)n });
	if (has & RF_KEYS)
		give_key(d, KEY_JWT);
	if ((has & RF_KEYS) && cf->cluster_name[0] != '\0')
		give_key(d, KEY_CLUSTER);
	if (has & (RF_DOORS | RF_TLS))
		give_doors(d, has);
	if (has & RF_LINKED)
		drive_channel(d);
	if (drive_with.counters != 0)
		say_fd(d->parent, 0, dup(drive_with.counters), counters,
		    .role = (uint8_t)role);
	if (role_info(role)->room == ROOM_STORE) {
		snprintf(root, sizeof(root), "%s", cf->store_path);
		if ((slash = strrchr(root, '/')) != NULL)
			*slash = '\0';
	}
	say(d->parent, start, .uid = (uint32_t)getuid(),
	    .gid = (uint32_t)getgid(), .root = root, .verbose = 1);
	(void)hear_next(d->parent, ready, NULL);
}

void
drive_channel(struct drive *d)
{
	int	sv[2], unread = 0, tries = 0;

	shut(&d->authd);
	if (imsg_pair(sv) == -1)
		bail("socketpair");
	d->authd = sv[0];
	say_fd(d->parent, 0, sv[1], channel);
	/* Once it has been read it counts for all that comes from now on. */
	while (ioctl(d->parent, SIOCOUTQ, &unread) == 0 && unread > 0 &&
	    tries++ < WAIT_MS && kill(d->pid, 0) == 0)
		poll(NULL, 0, 1);
}

/* Ending. */

int
drive_wait(struct drive *d)
{
	uint64_t	limit = now_ms() + WAIT_MS;
	int		status, i;

	while (waitpid(d->pid, &status, WNOHANG) != d->pid) {
		if (now_ms() > limit)
			bail("%s did not end", role_name(d->role));
		poll(NULL, 0, 5);
		(void)drive_logged(d, "");
	}
	(void)drive_logged(d, "");
	d->pid = 0;
	running = NULL;
	shut(&d->parent);
	shut(&d->log);
	shut(&d->authd);
	for (i = 0; i < DRIVE_DOORS; i++)
		shut(&d->lfd[i]);
	return (WIFSIGNALED(status) ? 128 + WTERMSIG(status) :
	    WEXITSTATUS(status));
}

void
drive_kill(struct drive *d)
{
	kill(d->pid, SIGKILL);
	(void)drive_wait(d);
}

int
drive_leave(struct drive *d)
{
	shut(&d->parent);
	return (drive_wait(d));
}

void
drive_freeze(const struct drive *d, int on)
{
	siginfo_t	si;

	kill(d->pid, on ? SIGSTOP : SIGCONT);
	/* It is told at once, and stops a little later. */
	if (on)
		(void)waitid(P_PID, (id_t)d->pid, &si, WSTOPPED);
}

/* Has it nothing left to do, not even a timer that is due? */
static int
asleep(const struct drive *d)
{
	char	 path[64], line[512], *p = NULL;
	FILE	*f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)d->pid);
	if ((f = fopen(path, "r")) == NULL)
		return (1);
	if (fgets(line, sizeof(line), f) != NULL)
		p = strrchr(line, ')');
	(void)fclose(f);
	return (p == NULL || p[2] != 'R');
}

void
drive_tick(const struct drive *d, uint64_t ms)
{
	say(d->parent, clock, .ms = ms);
}

void
drive_clock(struct drive *d, uint64_t ms)
{
	struct imsg	m;

	drive_tick(d, ms);
	say_id(d->parent, 0x01010101, try, .call = TRY_OPEN);
	/* The answer says that it was read; sleep, that it was acted on. */
	if (!hear_maybe(d->parent, IMSG_TRIED, &m, WAIT_MS))
		return;
	while (!asleep(d))
		poll(NULL, 0, 1);
}

/* The log. */

int
drive_logged(const struct drive *d, const char *text)
{
	char	line[2048];
	ssize_t	n;
	FILE	*f;

	const char	*s;

	/* Level, maybe a request, text: base/log.h. */
	while (text_len < LOG_MAX - sizeof(line) - 2 && (n = recv(d->log, line,
	    sizeof(line), MSG_DONTWAIT)) > 0) {
		s = line + 1;
		if (((unsigned char)line[0] & LOG_HAS_REQUEST) &&
		    (s = memchr(s, '\0', (size_t)n - 1)) == NULL)
			bail("a log line with a request that does not end");
		s += s > line + 1;
		n -= s - line;
		if (getenv("DRIVE_LOG") != NULL)
			printf("# log: %.*s\n", (int)n, s);
		if ((f = keep(0)) != NULL)
			fprintf(f, "%.*s\n", (int)n, s);
		memcpy(drive_text + text_len, s, (size_t)n);
		text_len += (size_t)n;
		drive_text[text_len++] = '\n';
		drive_text[text_len] = '\0';
	}
	return (memmem(drive_text, text_len, text, strlen(text)) != NULL);
}

int
drive_logs(const struct drive *d, const char *text)
{
	struct pollfd	pfd = { d->log, POLLIN, 0 };
	uint64_t	limit = now_ms() + WAIT_MS;

	while (!drive_logged(d, text)) {
		if (pfd.revents & POLLHUP || now_ms() > limit)
			return (drive_logged(d, text));
		poll(&pfd, 1, 100);
	}
	return (1);
}

void
drive_forget(void)
{
	text_len = 0;
	drive_text[0] = '\0';
}

long
drive_kib(const struct drive *d, const char *file, const char *key)
{
	char	 path[64], line[256];
	FILE	*f;
	long	 kib = 0, v;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)d->pid, file);
	if ((f = fopen(path, "r")) == NULL)
		return (-1);
	while (fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, key, strlen(key)) == 0 &&
		    sscanf(line + strlen(key), " %ld", &v) == 1)
			kib += v;
	(void)fclose(f);
	return (kib);
}

/* Messages. */

static void
send_packet(int sock, const uint8_t *p, size_t len, int fd)
{
	struct pollfd	pfd = { sock, POLLOUT, 0 };

	/* That the other has gone is for the test to notice. */
	while (imsg_send(sock, p, len, fd) == -1 && errno == EAGAIN)
		if (poll(&pfd, 1, WAIT_MS) != 1)
			bail("messages are not read");
	shut(&fd);
}

static void
header(uint8_t *buf, uint32_t type, uint32_t id)
{
	memcpy(buf, &type, 4);
	memcpy(buf + 4, &id, 4);
}

void
drive_say(int sock, uint32_t type, uint32_t id, int fd, const void *m)
{
	static uint8_t	buf[IMSG_MAX];
	long		n;

	header(buf, type, id);
	n = msg_put(type, m, buf + IMSG_HDR, sizeof(buf) - IMSG_HDR);
	if (n == -1)
		bail("%s cannot be said so", imsg_name(type));
	keep_secrets(type, m);
	send_packet(sock, buf, (size_t)n + IMSG_HDR, fd);
}

void
say_raw(int sock, uint32_t type, uint32_t id, int fd, const void *p, size_t len)
{
	static uint8_t	buf[IMSG_MAX];

	if (len > sizeof(buf) - IMSG_HDR)
		bail("message too long");
	header(buf, type, id);
	if (len > 0)
		memcpy(buf + IMSG_HDR, p, len);
	send_packet(sock, buf, len + IMSG_HDR, fd);
}

/* One packet into `buf`. */
static int
take(int sock, uint8_t *buf, struct imsg *m, int ms)
{
	struct pollfd		 pfd = { sock, POLLIN, 0 };
	const struct msg_info	*info;
	const char		*reason;
	long			 n;
	int			 fd;

	memset(m, 0, sizeof(*m));
	m->fd = -1;
	if (running != NULL)
		(void)drive_logged(running, "");
	/* Whether authd can be used comes whenever that changes. */
	do {
		while ((n = imsg_recv(sock, buf, &fd)) == -1) {
			if (errno == ECONNRESET)
				continue;
			if (errno != EAGAIN)
				return (-1);
			if (poll(&pfd, 1, ms) != 1)
				return (0);
		}
		if (n == 0)
			return (-1);
		if (imsg_parse(m, buf, (size_t)n, &reason) == -1)
			bail("bad message: %s", reason);
	} while (m->type == IMSG_USABLE);
	info = msg_info(m->type);
	if (fd != -1 && (info == NULL || info->carries == CARRIES_NOTHING))
		bail("%s with a descriptor", imsg_name(m->type));
	m->fd = fd;
	return ((int)m->type);
}

static uint8_t *
slot(void)
{
	static uint8_t	slots[8][IMSG_MAX];
	static unsigned	turn;

	return (slots[turn++ & 7]);
}

int
hear_any(int sock, struct imsg *m, int ms)
{
	return (take(sock, slot(), m, ms));
}

static void
drop(struct imsg *m)
{
	if (drive_dropped != NULL)
		drive_dropped(m);
	shut(&m->fd);
}

/* The next of this type: it, 0 when nothing came in time, -1 at the end. */
static int
await(int sock, uint32_t type, struct imsg *m, int ms)
{
	uint64_t	 limit = now_ms() + (uint64_t)ms, now;
	uint8_t		*buf = slot();
	int		 r;

	for (;;) {
		now = now_ms();
		r = take(sock, buf, m, now < limit ? (int)(limit - now) : 0);
		if (r <= 0 || r == (int)type)
			return (r);
		drop(m);
	}
}

int
hear_maybe(int sock, uint32_t type, struct imsg *m, int ms)
{
	return (await(sock, type, m, ms) > 0);
}

int
hear_end(int sock)
{
	struct imsg	m;

	return (await(sock, IMSG_NONE, &m, WAIT_MS) == -1 ? 0 : -1);
}

struct imsg *
drive_hear(int sock, uint32_t type, void *in, int skip)
{
	static struct imsg	m[8];
	static unsigned		turn;
	struct imsg		*im = &m[turn++ & 7];
	int			 r;

	/* When proxyd drops a grant or tells of refusals is its own affair. */
	do {
		r = skip ? await(sock, type, im, WAIT_MS) :
		    hear_any(sock, im, WAIT_MS);
	} while (r != (int)type && (r == IMSG_GRANT_DROP ||
	    r == IMSG_REFUSED_ALONE));
	if (r != (int)type)
		bail("waited for %s: %s", imsg_name(type), r == 0 ?
		    "nothing came" : r == -1 ? "end of channel" :
		    imsg_name((uint32_t)r));
	if (in != NULL && imsg_get(im, type, in) == -1)
		bail("malformed %s", imsg_name(type));
	if (in != NULL)
		keep_secrets(type, in);
	return (im);
}
