/* SPDX-License-Identifier: ISC */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "authd_drive.h"
#include "fields.h"
#include "base/compat.h"

#define WAIT_MS		5000
#define KEY		"0123456789abcdef0123456789abcdef-test-key\n"

struct far	parent = { .fd = -1 };
struct conf	drive_conf;
unsigned	dropped[IMSG_COUNT];
char		api_message[MESSAGE_SIZE], api_data[1 << 20];

static struct {
	char		dir[64], store[128], program[512];
	pid_t		pid;
	int		log;
	char		text[1 << 20];	/* of the log */
	size_t		len;
	uint64_t	instance;
} dr = { .log = -1 };

static struct {
	uint8_t	buf[IMSG_MAX];
	size_t	len;
} put;

static void	bail(const char *) __attribute__((noreturn));

static void
bail(const char *what)
{
	printf("Bail out! %s\n", what);
	if (dr.pid > 0)
		kill(dr.pid, SIGKILL);
	exit(255);
}

static int
remove_one(const char *path, const struct stat *sb, int flag, struct FTW *ftw)
{
	(void)sb;
	(void)flag;
	(void)ftw;
	return (remove(path));
}

static void
drive_clean(void)
{
	if (dr.pid > 0) {
		kill(dr.pid, SIGKILL);
		waitpid(dr.pid, NULL, 0);
	}
	nftw(dr.dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

void
drive_init(void)
{
	const char	*build = getenv("RELAYD_BUILD");
	const char	*old = getenv("ASAN_OPTIONS");
	char		 options[1024];

	setvbuf(stdout, NULL, _IOLBF, 0);
#ifndef RELAYD_TESTING
	printf("1..0 # SKIP the clock moves in a test build only\n");
	exit(0);
#endif
	signal(SIGPIPE, SIG_IGN);
	/* authd may not do what looking for leaks at the end takes. */
	snprintf(options, sizeof(options), "%s:detect_leaks=0",
	    old != NULL ? old : "");
	setenv("ASAN_OPTIONS", options, 1);
	snprintf(dr.program, sizeof(dr.program), "%s/libexec/authd",
	    build != NULL ? build : ".");
	if (access(dr.program, X_OK) == -1)
		bail("no libexec/authd; set RELAYD_BUILD");
	strlcpy(dr.dir, "/tmp/authd-test.XXXXXX", sizeof(dr.dir));
	if (mkdtemp(dr.dir) == NULL)
		bail("mkdtemp");
	atexit(drive_clean);
	snprintf(dr.store, sizeof(dr.store), "%s/relayd.db", dr.dir);
	conf_init(&drive_conf);
	strlcpy(drive_conf.store_path, dr.store,
	    sizeof(drive_conf.store_path));
	strlcpy(drive_conf.proxy_domain, "support.example.com",
	    sizeof(drive_conf.proxy_domain));
	drive_conf.rate_address = 100000;
	drive_conf.rate_slot = 100000;
	drive_conf.rate_key = 100000;
}

static long long
sql_run(const char *text)
{
	sqlite3		*db;
	sqlite3_stmt	*st = NULL;
	long long	 v = 0;

	if (sqlite3_open(dr.store, &db) != SQLITE_OK)
		bail("sqlite3_open");
	sqlite3_busy_timeout(db, WAIT_MS);
	if (sqlite3_prepare_v2(db, text, -1, &st, NULL) != SQLITE_OK)
		bail(sqlite3_errmsg(db));
	switch (sqlite3_step(st)) {
	case SQLITE_ROW:
		v = sqlite3_column_int64(st, 0);
		break;
	case SQLITE_DONE:
		break;
	default:
		bail(sqlite3_errmsg(db));
	}
	sqlite3_finalize(st);
	sqlite3_close(db);
	return (v);
}

long long
drive_sql(const char *fmt, ...)
{
	char	text[1024];
	va_list	ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return (sql_run(text));
}

long long
sql_becomes(long long want, const char *fmt, ...)
{
	char		text[1024];
	long long	v = want;
	va_list		ap;
	int		i;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (i = 0; i < WAIT_MS / 5; i++) {
		if ((v = sql_run(text)) == want)
			break;
		poll(NULL, 0, 5);
	}
	return (v);
}

static void
drive_exec(int chan_fd, int log_fd)
{
	/* Away from 3 and 4 before these are set. */
	chan_fd = fcntl(chan_fd, F_DUPFD, 10);
	log_fd = fcntl(log_fd, F_DUPFD, 10);
	dup2(chan_fd, PARENT_FD);
	dup2(log_fd, LOG_FD);
	execl(dr.program, "authd", (char *)NULL);
	_exit(127);
}

static void
drive_key(void)
{
	char	path[128];
	int	fd;

	snprintf(path, sizeof(path), "%s/key", dr.dir);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd == -1 || write(fd, KEY, strlen(KEY)) == -1 ||
	    lseek(fd, 0, SEEK_SET) == -1)
		bail("key file");
	put_begin(IMSG_KEYFILE, 0);
	put_u8(KEY_JWT);
	put_send(&parent, fd);
}

void
drive_start(int all)
{
	uint8_t		conf[CHUNK_MAX];
	struct imsg	m;
	int		chan[2], logs[2];
	long		n;

	if (imsg_pair(chan) == -1 || socketpair(AF_UNIX,
	    SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, logs) == -1)
		bail("socketpair");
	if ((dr.pid = fork()) == -1)
		bail("fork");
	if (dr.pid == 0)
		drive_exec(chan[1], logs[1]);
	close(chan[1]);
	close(logs[1]);
	if (parent.fd != -1)
		close(parent.fd);
	if (dr.log != -1)
		close(dr.log);
	parent.fd = chan[0];
	dr.log = logs[0];
	if ((n = conf_pack(&drive_conf, ROLE_AUTHD, conf, sizeof(conf))) == -1)
		bail("conf_pack");
	put_begin(IMSG_CONF, 0);
	put_blob(conf, (size_t)n);
	put_send(&parent, -1);
	drive_key();
	put_begin(IMSG_START, 0);
	put_u32(0);
	put_u32(0);
	put_str(dr.dir);
	put_u8(1);
	put_send(&parent, -1);
	get_type(&parent, IMSG_READY, &m);
	if (all)
		drive_spawned_all();
}

void
drive_spawned_all(void)
{
	put_begin(IMSG_SPAWNED_ALL, 0);
	put_send(&parent, -1);
}

void
drive_kill(void)
{
	kill(dr.pid, SIGKILL);
	waitpid(dr.pid, NULL, 0);
	dr.pid = 0;
}

void
drive_freeze(int on)
{
	kill(dr.pid, on ? SIGSTOP : SIGCONT);
}

int
drive_stop(void)
{
	int	status = -1;

	put_begin(IMSG_STOP, 0);
	put_send(&parent, -1);
	(void)get_end(&parent);
	waitpid(dr.pid, &status, 0);
	dr.pid = 0;
	return (WIFEXITED(status) ? WEXITSTATUS(status) : 256);
}

/* An empty configuration is answered with a no: then the clock has moved. */
void
drive_clock(uint64_t ms)
{
	struct imsg	m;

	put_begin(IMSG_CLOCK, 0);
	put_u64(ms);
	put_send(&parent, -1);
	put_begin(IMSG_RELOAD, next_id(&parent));
	put_blob("", 0);
	put_send(&parent, -1);
	get_type(&parent, IMSG_RELOAD_SAID, &m);
}

int
drive_logged(const char *text)
{
	char	line[2048];
	ssize_t	n;

	while ((n = recv(dr.log, line, sizeof(line), 0)) > 0) {
		if (getenv("DRIVE_LOG") != NULL)
			printf("# log: %.*s\n", (int)n - 1, line + 1);
		if ((size_t)n + dr.len + 1 > sizeof(dr.text))
			dr.len = 0;
		memcpy(dr.text + dr.len, line + 1, (size_t)n - 1);
		dr.len += (size_t)n - 1;
		dr.text[dr.len++] = '\n';
		dr.text[dr.len] = '\0';
	}
	return (strstr(dr.text, text) != NULL);
}

static struct far *
spawned(int role, uint64_t nonce, int bound, uint64_t instance,
    const char *system, const char *session, uint64_t gen)
{
	struct far	*p;
	int		 sv[2];

	if ((p = calloc(1, sizeof(*p))) == NULL || imsg_pair(sv) == -1)
		bail("spawn");
	p->fd = sv[0];
	p->instance = instance;
	put_begin(IMSG_SPAWNED, 0);
	put_u64(nonce);
	put_u64(instance);
	put_u8((uint8_t)role);
	put_u8((uint8_t)bound);
	put_str(system);
	put_str(session);
	put_u64(gen);
	put_send(&parent, sv[1]);
	return (p);
}

struct far *
drive_spawn(int role, uint64_t nonce)
{
	return (spawned(role, nonce, 0, ++dr.instance, "", "", 0));
}

struct far *
drive_spawn_kept(int role, uint64_t instance, uint64_t nonce)
{
	return (spawned(role, nonce, 0, instance, "", "", 0));
}

struct far *
drive_spawn_bound(int role, uint64_t instance, const char *system,
    const char *session, uint64_t gen)
{
	return (spawned(role, 0, 1, instance, system, session, gen));
}

void
far_close(struct far *p)
{
	if (p == NULL)
		return;
	close(p->fd);
	free(p);
}

/* Building. */

static void
put_bytes(const void *p, size_t n)
{
	if (n > sizeof(put.buf) - put.len)
		bail("message too long");
	if (n > 0)
		memcpy(put.buf + put.len, p, n);
	put.len += n;
}

void
put_begin(uint32_t type, uint32_t id)
{
	put.len = 0;
	put_u32(type);
	put_u32(id);
}

void
put_u8(uint8_t v)
{
	put_bytes(&v, sizeof(v));
}

void
put_u16(uint16_t v)
{
	put_bytes(&v, sizeof(v));
}

void
put_u32(uint32_t v)
{
	put_bytes(&v, sizeof(v));
}

void
put_u64(uint64_t v)
{
	put_bytes(&v, sizeof(v));
}

void
put_blob(const void *p, size_t len)
{
	put_u32((uint32_t)len);
	put_bytes(p, len);
}

void
put_str(const char *s)
{
	put_blob(s, strlen(s));
	put_u8(0);
}

void
put_send(struct far *p, int fd)
{
	struct pollfd	pfd = { p->fd, POLLOUT, 0 };

	while (imsg_send(p->fd, put.buf, put.len, fd) == -1) {
		if (errno != EAGAIN)
			break;		/* it has closed: the test will see */
		if (poll(&pfd, 1, WAIT_MS) <= 0)
			bail("authd does not read");
	}
	if (fd != -1)
		close(fd);
}

uint32_t
next_id(struct far *p)
{
	return (++p->last_id);
}

/* Receiving. */

/* What authd told the parent about who is bound, newest last. */
static struct {
	uint64_t	instance, generation;
	char		system[ID_SIZE], session[UUID_SIZE];
} bounds[4096];
static unsigned	nbounds;

static void
bound_keep(struct imsg *m)
{
	if (nbounds == sizeof(bounds) / sizeof(bounds[0]))
		nbounds = 0;
	if (m_get_u64(m, &bounds[nbounds].instance) == -1 ||
	    m_get_str(m, bounds[nbounds].system, ID_SIZE) == -1 ||
	    m_get_str(m, bounds[nbounds].session, UUID_SIZE) == -1 ||
	    m_get_u64(m, &bounds[nbounds].generation) == -1 || m_end(m) == -1)
		bail("bad BOUND");
	nbounds++;
}

static void
bound_find(struct tunnel *t)
{
	struct imsg	m;
	unsigned	i;

	for (;;) {
		for (i = 0; i < nbounds; i++)
			if (bounds[i].instance == t->mux->instance)
				break;
		if (i < nbounds)
			break;
		get_type(&parent, IMSG_BOUND, &m);
		bound_keep(&m);
	}
	if (strcmp(bounds[i].session, t->session) != 0)
		bail("BOUND names another session");
	strlcpy(t->system, bounds[i].system, sizeof(t->system));
	t->generation = bounds[i].generation;
}

int
get_any(struct far *p, struct imsg *m, int ms)
{
	struct pollfd	 pfd = { p->fd, POLLIN, 0 };
	const char	*reason;
	long		 n;
	int		 fd;

	(void)drive_logged("");
	memset(m, 0, sizeof(*m));
	m->fd = -1;
	if (poll(&pfd, 1, ms) <= 0)
		return (0);
	n = imsg_recv(p->fd, p->buf, &fd);
	if (n <= 0)
		return (-1);
	if (imsg_parse(m, p->buf, (size_t)n, &reason) == -1)
		bail("authd sent a bad packet");
	m->fd = fd;
	return ((int)m->type);
}

void
get_type(struct far *p, uint32_t type, struct imsg *m)
{
	char	text[128];
	int	r;

	for (;;) {
		r = get_any(p, m, WAIT_MS);
		if (r == (int)type)
			return;
		if (r <= 0) {
			(void)drive_logged("");
			snprintf(text, sizeof(text), "no %s: %s",
			    imsg_name(type), r == 0 ? "nothing came" :
			    "end of channel");
			bail(text);
		}
		dropped[r]++;
		if (r == IMSG_BOUND)
			bound_keep(m);
		if (m->fd != -1)
			close(m->fd);
	}
}

int
get_end(struct far *p)
{
	struct imsg	m;
	int		r;

	while ((r = get_any(p, &m, WAIT_MS)) > 0)
		if (m.fd != -1)
			close(m.fd);
	return (r == -1 ? 0 : -1);
}

int
get_none(struct far *p, uint32_t type)
{
	struct imsg	m;
	int		r;

	while ((r = get_any(p, &m, 0)) > 0) {
		if (m.fd != -1)
			close(m.fd);
		if (r == (int)type)
			return (-1);
	}
	return (0);
}

/* Stories. */

uint64_t
admit(struct far *p, const char *addr, int *status)
{
	struct imsg	m;
	uint64_t	nonce, instance;
	uint32_t	retry;
	uint16_t	st;
	char		message[MESSAGE_SIZE];

	put_begin(IMSG_ADMIT, next_id(p));
	put_u8(CLASS_TUNNEL);
	put_str(addr);
	put_str("");
	put_str("");
	put_str("");
	put_send(p, -1);
	get_type(p, IMSG_ADMITTED, &m);
	if (m_get_u16(&m, &st) == -1 || m_get_u32(&m, &retry) == -1 ||
	    m_get_str(&m, message, sizeof(message)) == -1 ||
	    m_get_u64(&m, &nonce) == -1 || m_get_u64(&m, &instance) == -1 ||
	    m_end(&m) == -1)
		bail("bad ADMITTED");
	if (status != NULL)
		*status = st;
	return (nonce);
}

static void
rows_take(struct rows *rows, struct imsg *m)
{
	char	*text;
	uint8_t	 n, i;

	if (m_get_u8(m, &n) == -1 || n > CTL_CELLS_MAX || rows->n >= 600)
		bail("bad CTL_ROW");
	for (i = 0; i < n; i++) {
		if ((text = malloc(CTL_CELL_SIZE)) == NULL ||
		    m_get_str(m, text, CTL_CELL_SIZE) == -1)
			bail("bad CTL_ROW");
		rows->row[rows->n].cell[i] = text;
	}
	rows->row[rows->n++].n = n;
}

int
ctl(struct far *p, struct rows *rows, int op, ...)
{
	const char	*word[CTL_ARGS_MAX], *s;
	struct imsg	 m;
	unsigned	 n = 0, i;
	uint16_t	 code;
	va_list		 ap;
	int		 r;

	memset(rows, 0, sizeof(*rows));
	va_start(ap, op);
	while ((s = va_arg(ap, const char *)) != NULL)
		word[n++] = s;
	va_end(ap);
	put_begin(IMSG_CTL, next_id(p));
	put_u32(CTL_VERSION);
	put_u16((uint16_t)op);
	put_u8((uint8_t)n);
	for (i = 0; i < n; i++)
		put_str(word[i]);
	put_send(p, -1);
	while ((r = get_any(p, &m, WAIT_MS)) == IMSG_CTL_ROW)
		rows_take(rows, &m);
	if (r != IMSG_CTL_DONE || m_get_u16(&m, &code) == -1 ||
	    m_get_str(&m, rows->text, sizeof(rows->text)) == -1 ||
	    m_end(&m) == -1)
		bail("no CTL_DONE");
	return (code);
}

const char *
cell(const struct rows *rows, unsigned row, const char *column)
{
	unsigned	i;

	if (row >= rows->n)
		return ("");
	for (i = 0; i < rows->row[0].n; i++)
		if (strcmp(rows->row[0].cell[i], column) == 0)
			return (rows->row[row].cell[i]);
	return ("");
}

void
rows_free(struct rows *rows)
{
	unsigned	i, j;

	for (i = 0; i < rows->n; i++)
		for (j = 0; j < rows->row[i].n; j++)
			free(rows->row[i].cell[j]);
	rows->n = 0;
}

void
drive_sync(struct far *control)
{
	static struct rows	rows;
	int			i;

	for (i = 0; i < 2; i++) {
		ctl(control, &rows, CTL_SHOW_STATS, CTL_END);
		rows_free(&rows);
	}
}

void
system_add(struct far *control, struct tunnel *t, const char *org)
{
	static struct rows	rows;

	memset(t, 0, sizeof(*t));
	if (ctl(control, &rows, CTL_SYSTEM_ADD, "Office", org, CTL_END) != 0)
		bail("system add");
	strlcpy(t->system, cell(&rows, 1, "id"), sizeof(t->system));
	strlcpy(t->key, cell(&rows, 1, "key"), sizeof(t->key));
	strlcpy(t->secret, cell(&rows, 1, "secret"), sizeof(t->secret));
	rows_free(&rows);
}

void
login_say(struct tunnel *t, uint64_t nonce, const char *node,
    const char *token, const char *addr)
{
	t->mux = drive_spawn(ROLE_MUXD, nonce);
	put_begin(IMSG_LOGIN, next_id(t->mux));
	put_u64(nonce);
	put_str(t->key);
	put_str(t->secret);
	put_str(node);
	put_str(token);
	put_str(addr);
	put_send(t->mux, -1);
}

void
login_send(struct far *proxyd, struct tunnel *t, const char *node,
    const char *token, const char *addr)
{
	uint64_t	nonce = admit(proxyd, addr, &t->status);

	t->mux = NULL;
	if (nonce != 0)
		login_say(t, nonce, node, token, addr);
}

void
login_wait(struct tunnel *t)
{
	struct imsg	m;
	uint16_t	status;
	char		session[UUID_SIZE], token[HEX64_SIZE], sys[ID_SIZE];

	get_type(t->mux, IMSG_LOGIN_RESULT, &m);
	if (m_get_u16(&m, &status) == -1 || m_get_u32(&m, &t->retry) == -1 ||
	    m_get_str(&m, t->message, sizeof(t->message)) == -1 ||
	    m_get_str(&m, session, sizeof(session)) == -1 ||
	    m_get_str(&m, token, sizeof(token)) == -1 ||
	    m_get_str(&m, sys, sizeof(sys)) == -1 || m_end(&m) == -1)
		bail("bad LOGIN_RESULT");
	t->status = status;
	if (status != 0)
		return;
	strlcpy(t->session, session, sizeof(t->session));
	strlcpy(t->token, token, sizeof(t->token));
	bound_find(t);
}

void
login(struct far *proxyd, struct tunnel *t, const char *node,
    const char *token, const char *addr)
{
	login_send(proxyd, t, node, token, addr);
	if (t->mux != NULL)
		login_wait(t);
}

static void
manifest(struct far *mux, unsigned n)
{
	char		name[32], target[64];
	unsigned	i;

	put_begin(IMSG_SERVICES_BEGIN, 0);
	put_u32(1);
	put_u32(n);
	put_str("");
	put_send(mux, -1);
	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "s%u", i);
		snprintf(target, sizeof(target), "127.0.0.1:%u", 8000 + i);
		put_begin(IMSG_SERVICE, 0);
		put_str(name);
		put_str(target);
		put_str("");
		put_u8(0);
		put_str("A service");
		put_str("");
		put_str("");
		put_str("");
		put_str("");
		put_send(mux, -1);
	}
	put_begin(IMSG_SERVICES_END, 0);
	put_send(mux, -1);
}

void
up(struct tunnel *t, unsigned n)
{
	struct imsg	m;

	put_begin(IMSG_UP, 0);
	put_send(t->mux, -1);
	manifest(t->mux, n);
	/* An answer from the same channel: all before it has been taken. */
	put_begin(IMSG_CREDIT_ASK, next_id(t->mux));
	put_u32(0);
	put_send(t->mux, -1);
	get_type(t->mux, IMSG_CREDIT, &m);
}

void
grant(struct far *p, const char *token, const char *session,
    struct granted *g)
{
	struct imsg	m;
	char		slug[SLUG_SIZE] = "", sid[UUID_SIZE];
	uint32_t	version, count;
	uint16_t	status;
	int		r;
	size_t		n = 0;

	memset(g, 0, sizeof(*g));
	for (; *session != '\0' && n < sizeof(slug) - 1; session++)
		if (*session != '-')
			slug[n++] = *session;
	put_begin(IMSG_GRANT, next_id(p));
	put_str(token);
	put_str(slug);
	put_str("192.0.2.99");
	put_send(p, -1);
	while ((r = get_any(p, &m, WAIT_MS)) > 0 && r != IMSG_GRANTED)
		if (r == IMSG_SERVICES_BEGIN &&
		    m_get_u32(&m, &version) == 0 &&
		    m_get_u32(&m, &count) == 0 &&
		    m_get_str(&m, sid, sizeof(sid)) == 0)
			g->services = count;
	if (r <= 0 || m_get_u16(&m, &status) == -1 ||
	    m_get_str(&m, g->message, sizeof(g->message)) == -1 ||
	    m_get_u64(&m, &g->grant) == -1 ||
	    m_get_str(&m, g->session, sizeof(g->session)) == -1 ||
	    m_get_str(&m, g->operator, sizeof(g->operator)) == -1 ||
	    m_get_u64(&m, &g->expires) == -1 ||
	    m_get_u32(&m, &g->idle_max) == -1 || m_end(&m) == -1)
		bail("bad GRANTED");
	g->status = status;
}

static int
opened_take(struct opened *o, struct imsg *m, int r)
{
	uint16_t	status = 0;

	if (r == IMSG_STREAM_OPENED) {
		if (m_get_u64(m, &o->stream) == -1 || m_end(m) == -1)
			bail("bad STREAM_OPENED");
	} else if (r == IMSG_STREAM_REFUSED) {
		if (m_get_u16(m, &status) == -1 ||
		    m_get_str(m, o->message, sizeof(o->message)) == -1 ||
		    m_end(m) == -1)
			bail("bad STREAM_REFUSED");
	} else {
		return (-1);
	}
	o->status = status;
	o->fd = m_take_fd(m);
	return (0);
}

void
stream_open(struct far *p, struct far *mux, uint64_t id,
    const char *service, struct opened *o)
{
	struct imsg	 m;
	const uint8_t	*tag;
	uint64_t	 stream;
	char		 name[SERVICE_SIZE];
	int		 r;

	memset(o, 0, sizeof(*o));
	o->fd = o->mux_fd = -1;
	put_begin(IMSG_STREAM_OPEN, next_id(p));
	put_u64(id);
	put_str(service);
	put_send(p, -1);
	do {
		r = get_any(p, &m, WAIT_MS);
		if (r <= 0)
			bail("no answer to STREAM_OPEN");
		if (r == IMSG_IDLE_DROP) {
			put_begin(IMSG_IDLE_DROPPED, m.id);
			put_u32(0);
			put_send(p, -1);
		}
	} while (opened_take(o, &m, r) == -1);
	if (o->status != 0)
		return;
	get_type(mux, IMSG_STREAM_BRIDGE, &m);
	if (m_get_u64(&m, &stream) == -1 ||
	    m_get_str(&m, name, sizeof(name)) == -1 ||
	    m_get_blob(&m, &tag, &o->tag_len, STREAM_TAG_MAX) == -1 ||
	    m_end(&m) == -1 || stream != o->stream ||
	    strcmp(name, service) != 0)
		bail("bad STREAM_BRIDGE to muxd");
	memcpy(o->tag, tag, o->tag_len);
	o->mux_fd = m_take_fd(&m);
}

void
stream_end(struct far *mux, uint64_t stream, int why, uint64_t in,
    uint64_t out)
{
	put_begin(IMSG_STREAM_END, 0);
	put_u64(stream);
	put_u8((uint8_t)why);
	put_u64(in);
	put_u64(out);
	put_send(mux, -1);
}

void
opened_close(struct opened *o)
{
	if (o->fd != -1)
		close(o->fd);
	if (o->mux_fd != -1)
		close(o->mux_fd);
	o->fd = o->mux_fd = -1;
}

int
api(struct far *p, int op, const struct api *a)
{
	struct imsg	 m;
	const uint8_t	*chunk;
	uint32_t	 total;
	uint16_t	 status;
	size_t		 n, got = 0;

	put_begin(IMSG_API, next_id(p));
	put_u8((uint8_t)op);
	put_str(a->token != NULL ? a->token : "");
	put_str("192.0.2.7");
	put_str(a->session != NULL ? a->session : "");
	put_str(a->service != NULL ? a->service : "");
	put_u32(a->page);
	put_u32(a->page_size);
	put_str(a->sort_by != NULL ? a->sort_by : "");
	put_u8((uint8_t)a->descending);
	put_u32(a->statuses);
	put_str(a->system_id != NULL ? a->system_id : "");
	put_send(p, -1);
	get_type(p, IMSG_API_RESULT, &m);
	if (m_get_u16(&m, &status) == -1 ||
	    m_get_str(&m, api_message, sizeof(api_message)) == -1 ||
	    m_get_u32(&m, &total) == -1 || m_end(&m) == -1 ||
	    total >= sizeof(api_data))
		bail("bad API_RESULT");
	while (got < total) {
		get_type(p, IMSG_DOC_CHUNK, &m);
		if (m_get_blob(&m, &chunk, &n, CHUNK_MAX) == -1 ||
		    m_end(&m) == -1 || n == 0 || n > total - got)
			bail("bad API_CHUNK");
		memcpy(api_data + got, chunk, n);
		got += n;
	}
	api_data[got] = '\0';
	return (status);
}

const char *
api_str(const char *name)
{
	static char	 value[TOKEN_SIZE];
	char		 want[80];
	const char	*at, *end;

	snprintf(want, sizeof(want), "\"%s\":\"", name);
	if ((at = strstr(api_data, want)) == NULL)
		return ("");
	at += strlen(want);
	end = strchr(at, '"');
	if (end == NULL || (size_t)(end - at) >= sizeof(value))
		return ("");
	memcpy(value, at, (size_t)(end - at));
	value[end - at] = '\0';
	return (value);
}

char *
operator_token(struct far *control, const char *user, const char *org,
    const char *role, const char *perms)
{
	static struct rows	 rows;
	char			*token;

	if (ctl(control, &rows, CTL_TOKEN_CREATE, user, org, role, perms,
	    "86400", CTL_END) != 0)
		bail("token create");
	token = strdup(cell(&rows, 1, "token"));
	rows_free(&rows);
	return (token);
}
