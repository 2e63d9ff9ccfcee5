/* SPDX-License-Identifier: ISC */
/*
 * common/yamux/yamux.c over common/ws/ws.c on one TCP connection, against the Go program
 * cmd/yamuxpeer, which describes the streams.  Both open and accept at the same
 * time.  Run by yamux.t; the last line of output is a JSON object of counters.
 *
 * usage: yamux_peer [-c port] [-n streams] [-p parallel] [-r role]
 *
 * Without -c it listens as yamux server and prints "port N".  Roles: mix,
 * accept (whatever comes until the peer leaves), backlog (300 opens at a peer
 * that does not accept yet), pings (wait for nine, then leave).
 */
#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ws/ws.h"
#include "yamux/yamux.h"

#define OUT_MAX		(256 * 1024)
#define FRAME_MAX	(16 * 1024)
#define SUM		crypto_hash_sha256_BYTES

struct task {
	char		 kind;
	bool		 opener;
	bool		 released;		/* W */
	bool		 fin_after;		/* nothing left: FIN */
	bool		 done;			/* counted */
	uint8_t		 cmd[9];
	size_t		 cmd_len;
	uint8_t		 small[SUM];		/* sent before all else */
	size_t		 small_len, small_off;
	uint64_t	 body_left;		/* made up, sent after it */
	bool		 sum_after;		/* then the digest of it */
	uint32_t	 gen;
	uint8_t		*echo;
	size_t		 echo_len, echo_cap;
	uint64_t	 size, got_n;
	uint8_t		 last[SUM];		/* the digest that came */
	size_t		 last_len;
	crypto_hash_sha256_state sent, got;
};

static struct {
	int			 fd;
	struct ws		 ws;
	struct yamux		*y;
	bool			 client;
	const char		*role;
	uint8_t			 out[OUT_MAX + FRAME_MAX + 256];
	size_t			 out_len;
	uint32_t		 total, parallel, next, running;
	bool			 sent_d, got_d, answered_d, no_open, leave;
	uint32_t		 opened, good, bad, accepted, resets, refused;
	uint64_t		 credit_peak, started;
	char			 error[200];
} p;

static const uint64_t sizes[] = {
	0, 1, 100, 5000, 70000, 262144, 262145, 600000
};

static void	 complain(const char *, struct yamux_stream *);

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((uint64_t)ts.tv_sec * YAMUX_NSEC + (uint64_t)ts.tv_nsec);
}

static void
complain(const char *what, struct yamux_stream *st)
{
	struct task *t = yamux_get(st);

	p.bad++;
	if (p.error[0] == '\0')
		snprintf(p.error, sizeof(p.error), "stream %u, %c %llu: %s",
		    yamux_id(st), t->kind ? t->kind : '?',
		    (unsigned long long)t->size, what);
}

/* Tasks. */

static struct task *
task_new(char kind, bool opener)
{
	struct task *t;

	if ((t = calloc(1, sizeof(*t))) == NULL)
		err(1, NULL);
	t->kind = kind;
	t->opener = opener;
	t->gen = 1;
	crypto_hash_sha256_init(&t->sent);
	crypto_hash_sha256_init(&t->got);
	return (t);
}

static void
task_free(struct task *t)
{
	if (t->opener)
		p.running--;
	free(t->echo);
	free(t);
}

static struct yamux_stream *
task_open(char kind, uint64_t size, const void *more, size_t more_len)
{
	struct task *t = task_new(kind, true);
	struct yamux_stream *st;
	int r;

	t->size = t->body_left = size;
	t->small[0] = (uint8_t)(kind == 'X' ? 'E' : kind);
	memcpy(t->small + 1, more, more_len);
	t->small_len = 1 + more_len;
	t->fin_after = strchr("EHWDGR", kind) != NULL;
	if ((r = yamux_open(p.y, t, &st)) != 0)
		errx(1, "open: %s", yamux_strerror(r));
	p.running++;
	p.opened++;
	return (st);
}

static void
open_next(void)
{
	static const char kinds[] = "EHSEHXSEHWR";
	uint32_t i = p.next++, k = sizeof(kinds) - 1;
	uint64_t size = sizes[i / k % (sizeof(sizes) / sizeof(sizes[0]))];
	char kind = kinds[i % k];
	uint8_t len[8] = { 0 };

	if (kind == 'W' && i % 4 != 0)
		kind = 'H';
	if (kind == 'W' || kind == 'X')
		size = 600000;
	if (kind != 'S') {
		task_open(kind, size, "", 0);
		return;
	}
	len[5] = (uint8_t)(size >> 16);
	len[6] = (uint8_t)(size >> 8);
	len[7] = (uint8_t)size;
	((struct task *)yamux_get(task_open(kind, 0, len, 8)))->size = size;
}

static void
task_release(uint32_t id)
{
	struct yamux_stream *st = yamux_find(p.y, id);
	struct task *t;

	if (st == NULL || (t = yamux_get(st)) == NULL || t->kind != 'W') {
		warnx("no stream %u to release", id);
		return;
	}
	t->released = true;
	yamux_consumed(st, yamux_held(st), now_ns());
}

static void
task_reply_sum(struct task *t)
{
	crypto_hash_sha256_final(&t->got, t->small);
	t->small_len = SUM;
	t->small_off = 0;
	t->fin_after = true;
}

/* Receiving. */

static void
echo_add(struct task *t, const uint8_t *buf, size_t len)
{
	if (t->echo_len + len > t->echo_cap) {
		t->echo_cap = (t->echo_len + len) * 2;
		if ((t->echo = realloc(t->echo, t->echo_cap)) == NULL)
			err(1, NULL);
	}
	memcpy(t->echo + t->echo_len, buf, len);
	t->echo_len += len;
}

/* The first bytes of a stream that the peer opened; how many were used. */
static size_t
command(struct yamux_stream *st, const uint8_t *buf, size_t len)
{
	struct task *t = yamux_get(st);
	size_t need, n = 0;
	int i;

	if (t->cmd_len == 0) {
		t->cmd[t->cmd_len++] = buf[n++];
		t->kind = (char)t->cmd[0];
	}
	need = t->kind == 'S' ? 9 : t->kind == 'G' ? 5 : 1;
	while (t->cmd_len < need && n < len)
		t->cmd[t->cmd_len++] = buf[n++];
	if (t->cmd_len < need)
		return (n);
	t->done = true;			/* parsed */
	if (t->kind == 'S') {
		for (i = 1; i < 9; i++)
			t->size = t->size << 8 | t->cmd[i];
		t->body_left = t->size;
		t->sum_after = true;
	} else if (t->kind == 'G') {
		task_release((uint32_t)t->cmd[1] << 24 | t->cmd[2] << 16 |
		    t->cmd[3] << 8 | t->cmd[4]);
	}
	if (t->kind == 'G' || t->kind == 'D') {
		t->small[0] = 'g';
		t->small_len = 1;
		t->fin_after = true;
		p.got_d = p.got_d || t->kind == 'D';
	}
	return (n);
}

static void
accepted_data(struct yamux_stream *st, const uint8_t *buf, size_t len)
{
	struct task *t = yamux_get(st);
	size_t n;

	if (!t->done) {
		n = command(st, buf, len);
		yamux_consumed(st, n, now_ns());
		buf += n;
		len -= n;
		if (t->kind == 'R') {
			task_free(t);
			yamux_reset(st);
			p.resets++;
			return;
		}
	}
	if (len == 0)
		return;
	t->got_n += len;
	switch (t->kind) {
	case 'E':
		echo_add(t, buf, len);	/* consumed when it is sent */
		return;
	case 'H':
	case 'W':
		crypto_hash_sha256_update(&t->got, buf, len);
		break;
	case 'N':
		break;
	default:
		complain("data where none belongs", st);
		break;
	}
	if (t->kind != 'W' || t->released)
		yamux_consumed(st, len, now_ns());
}

static void
opened_data(struct yamux_stream *st, const uint8_t *buf, size_t len)
{
	struct task *t = yamux_get(st);
	size_t n, body = 0;

	yamux_consumed(st, len, now_ns());
	n = len;
	if (t->kind == 'E' || t->kind == 'X')
		body = n;
	else if (t->kind == 'S' && t->got_n < t->size)
		body = t->size - t->got_n < n ? t->size - t->got_n : n;
	crypto_hash_sha256_update(&t->got, buf, body);
	t->got_n += body;
	for (buf += body, n -= body; n > 0 && t->last_len < SUM; n--)
		t->last[t->last_len++] = *buf++;
	if (n > 0)
		complain("more than was asked for", st);
	if (t->kind == 'X' && t->got_n > 1000) {
		task_free(t);
		yamux_reset(st);
		p.good++;
	}
}

static void
opened_fin(struct yamux_stream *st)
{
	struct task *t = yamux_get(st);
	uint8_t sum[SUM], sum2[SUM];
	bool good;

	crypto_hash_sha256_final(&t->sent, sum);
	crypto_hash_sha256_final(&t->got, sum2);
	switch (t->kind) {
	case 'E':
		good = t->got_n == t->size && memcmp(sum, sum2, SUM) == 0;
		break;
	case 'H':
	case 'W':
		good = t->last_len == SUM && memcmp(sum, t->last, SUM) == 0;
		break;
	case 'S':
		good = t->got_n == t->size && t->last_len == SUM &&
		    memcmp(sum2, t->last, SUM) == 0;
		break;
	case 'R':
		good = t->last_len == 0;
		t->body_left = 0;
		break;
	default:
		good = t->last_len == 1;
		break;
	}
	t->done = true;
	t->fin_after = true;
	if (t->kind == 'D')
		p.answered_d = true;
	if (good)
		p.good++;
	else
		complain("other bytes than were sent", st);
}

static void
on_open(void *arg, struct yamux_stream *st)
{
	(void)arg;
	yamux_set(st, task_new('\0', false));
	yamux_accept(st);
	p.accepted++;
}

static void
on_data(void *arg, struct yamux_stream *st, const uint8_t *buf, size_t len)
{
	struct task *t = yamux_get(st);

	(void)arg;
	if (t->opener)
		opened_data(st, buf, len);
	else
		accepted_data(st, buf, len);
}

static void
on_fin(void *arg, struct yamux_stream *st)
{
	struct task *t = yamux_get(st);
	int i;

	(void)arg;
	if (t->opener) {
		opened_fin(st);
		return;
	}
	if (t->kind == 'H' || t->kind == 'W')
		task_reply_sum(t);
	else if (t->kind == 'N') {
		for (i = 0; i < 8; i++)
			t->small[i] = (uint8_t)(t->got_n >> (56 - 8 * i));
		t->small_len = 8;
	}
	t->fin_after = true;
}

static void
on_close(void *arg, struct yamux_stream *st, enum yamux_reason why)
{
	struct task *t = yamux_get(st);

	(void)arg;
	if (why == YAMUX_RESET && t->opener && strcmp(p.role, "backlog") == 0)
		p.refused++;
	else if (why != YAMUX_CLOSED && why != YAMUX_GONE)
		complain("ended early", st);
	else if (t->opener && !t->done && why == YAMUX_CLOSED)
		complain("ended without FIN", st);
	task_free(t);
}

static void
on_ack(void *arg, struct yamux_stream *st)
{
	(void)arg;
	if (strcmp(p.role, "backlog") == 0)
		((struct task *)yamux_get(st))->fin_after = true;
}

static void
on_goaway(void *arg)
{
	struct yamux_stream *st;

	(void)arg;
	p.no_open = yamux_open(p.y, NULL, &st) == YAMUX_E_CLOSING;
	yamux_goaway(p.y, YAMUX_GOAWAY_NORMAL);
}

static const struct yamux_callbacks callbacks = {
	.on_open = on_open, .on_data = on_data, .on_fin = on_fin,
	.on_close = on_close, .on_ack = on_ack, .on_goaway = on_goaway
};

/* Sending. */

static void
frame_add(const uint8_t *payload, size_t len)
{
	uint8_t key[4], *body;

	randombytes_buf(key, sizeof(key));
	p.out_len += ws_header(p.out + p.out_len, WS_OP_BINARY, len,
	    p.client ? key : NULL);
	body = p.out + p.out_len;
	memcpy(body, payload, len);
	if (p.client)
		ws_mask(body, len, key, 0);
	p.out_len += len;
}

static size_t
task_fill(struct task *t, uint8_t *buf, size_t n)
{
	size_t i;

	if (t->small_off < t->small_len) {
		if (n > t->small_len - t->small_off)
			n = t->small_len - t->small_off;
		memcpy(buf, t->small + t->small_off, n);
		t->small_off += n;
	} else if (t->body_left > 0) {
		if (n > t->body_left)
			n = t->body_left;
		for (i = 0; i < n; i++)
			buf[i] = (uint8_t)((t->gen = t->gen * 1664525 +
			    1013904223) >> 24);
		crypto_hash_sha256_update(&t->sent, buf, n);
		t->body_left -= n;
	} else {
		if (n > t->echo_len)
			n = t->echo_len;
		memcpy(buf, t->echo, n);
		t->echo_len -= n;
		memmove(t->echo, t->echo + n, t->echo_len);
	}
	return (n);
}

static bool
task_has_data(const struct task *t)
{
	return (t->small_off < t->small_len || t->body_left > 0 ||
	    t->echo_len > 0);
}

/* One frame of a stream; false if it has nothing, or no window. */
static bool
stream_send(struct yamux_stream *st)
{
	uint8_t buf[YAMUX_HEADER + FRAME_MAX];
	struct task *t = yamux_get(st);
	size_t n = yamux_sendable(st);

	if (task_has_data(t) && n > 0) {
		n = task_fill(t, buf + YAMUX_HEADER,
		    n < FRAME_MAX ? n : FRAME_MAX);
		if (yamux_data_header(st, buf, n) != 0)
			errx(1, "data over the window");
		frame_add(buf, YAMUX_HEADER + n);
		if (t->kind == 'E' && !t->opener)
			yamux_consumed(st, n, now_ns());
		return (true);
	}
	if (t->kind == 'W' && t->opener && n == 0 && !t->released) {
		/* The window is full: have it read. */
		uint32_t id = yamux_id(st);
		uint8_t be[4] = { (uint8_t)(id >> 24), (uint8_t)(id >> 16),
		    (uint8_t)(id >> 8), (uint8_t)id };

		t->released = true;
		task_open('G', 0, be, 4);
	}
	if (!task_has_data(t) && t->sum_after) {
		t->sum_after = false;
		crypto_hash_sha256_final(&t->sent, t->small);
		t->small_len = SUM;
		t->small_off = 0;
		t->fin_after = true;
		return (true);
	}
	if (!task_has_data(t) && t->fin_after)
		yamux_fin(st);
	return (false);
}

static void
fill_output(void)
{
	uint8_t control[1024], rnd[8];
	struct yamux_stream *st;
	bool more = true;
	size_t n;

	while (p.out_len < OUT_MAX && ws_pending(&p.ws)) {
		randombytes_buf(rnd, sizeof(rnd));
		p.out_len += ws_output(&p.ws, p.out + p.out_len, rnd);
	}
	while (more && p.out_len < OUT_MAX && ws_may_send(&p.ws)) {
		while (p.out_len < OUT_MAX && (n = yamux_output(p.y, control,
		    sizeof(control), now_ns())) > 0)
			frame_add(control, n);
		more = false;
		for (st = yamux_first(p.y); st != NULL && p.out_len < OUT_MAX;
		    st = yamux_next(st))
			more |= stream_send(st);
		more |= yamux_has_output(p.y);
	}
}

/* The course of things. */

static void
progress(void)
{
	struct yamux_stats s;

	yamux_get_stats(p.y, &s);
	if (s.credit > p.credit_peak)
		p.credit_peak = s.credit;
	if (strcmp(p.role, "mix") == 0) {
		while (p.next < p.total && p.running < p.parallel)
			open_next();
		if (p.next == p.total && p.running == 0 && !p.sent_d) {
			p.sent_d = true;
			task_open('D', 0, "", 0);
		}
	} else if (strcmp(p.role, "backlog") == 0) {
		static bool told;

		while (p.opened < 300)
			((struct task *)yamux_get(task_open('H', 0, "", 0)))->
			    fin_after = false;
		if (p.refused == 300 - 256 && !told) {
			told = true;
			printf("refused %u\n", p.refused);
			(void)fflush(stdout);
		}
		p.leave = p.running == 0;
	} else if (strcmp(p.role, "pings") == 0)
		p.leave = s.pings_in >= 9 && s.rtt_min > 0;
	if (p.leave)
		ws_close(&p.ws, WS_NORMAL, NULL);
}

/* Read, parse; false at the end of the connection. */
static bool
input(void)
{
	static uint8_t buf[256 * 1024];
	ssize_t n;
	size_t len;

	n = read(p.fd, buf, sizeof(buf));
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return (true);
	if (n <= 0)
		return (false);
	if (ws_input(&p.ws, buf, (size_t)n, &len) == -1)
		snprintf(p.error, sizeof(p.error), "ws: %s", ws_error(&p.ws));
	if (yamux_input(p.y, buf, len, now_ns()) != 0 && p.error[0] == '\0')
		snprintf(p.error, sizeof(p.error), "yamux: %s",
		    yamux_strerror(yamux_error(p.y)));
	return (true);
}

static int
until_deadline(void)
{
	uint64_t d = yamux_deadline(p.y), now = now_ns();

	if (d == YAMUX_NEVER)
		return (-1);
	return (d <= now ? 0 : (int)((d - now) / 1000000) + 1);
}

static void
loop(void)
{
	struct pollfd pfd = { .fd = p.fd };
	ssize_t n;

	for (;;) {
		progress();
		fill_output();
		if (ws_done(&p.ws) && p.out_len == 0)
			return;
		pfd.events = (short)(POLLIN | (p.out_len > 0 ? POLLOUT : 0));
		if (poll(&pfd, 1, until_deadline()) == -1 && errno != EINTR)
			err(1, "poll");
		if ((pfd.revents & (POLLIN | POLLHUP | POLLERR)) && !input())
			return;
		if (yamux_tick(p.y, now_ns()) != 0) {
			if (p.error[0] == '\0')
				snprintf(p.error, sizeof(p.error), "yamux: %s",
				    yamux_strerror(yamux_error(p.y)));
			return;
		}
		if (p.out_len == 0)
			continue;
		n = send(p.fd, p.out, p.out_len, MSG_NOSIGNAL);
		if (n == -1 && errno != EAGAIN && errno != EINTR)
			return;
		if (n > 0) {
			p.out_len -= (size_t)n;
			memmove(p.out, p.out + n, p.out_len);
		}
	}
}

/* TCP and the upgrade. */

static int
tcp_listen(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	int l, fd;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if ((l = socket(AF_INET, SOCK_STREAM, 0)) == -1 ||
	    bind(l, (struct sockaddr *)&sin, len) == -1 || listen(l, 1) == -1 ||
	    getsockname(l, (struct sockaddr *)&sin, &len) == -1)
		err(1, "listen");
	printf("port %u\n", ntohs(sin.sin_port));
	(void)fflush(stdout);
	if ((fd = accept(l, NULL, NULL)) == -1)
		err(1, "accept");
	close(l);
	return (fd);
}

static int
tcp_connect(const char *port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	int fd;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sin.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
	if ((fd = socket(AF_INET, SOCK_STREAM, 0)) == -1 ||
	    connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1)
		err(1, "connect");
	return (fd);
}

/* A head, byte by byte so that nothing behind it is taken. */
static void
read_head(char *head, size_t size)
{
	size_t n = 0;

	while (n < 4 || memcmp(head + n - 4, "\r\n\r\n", 4) != 0)
		if (n + 1 >= size || read(p.fd, head + n++, 1) != 1)
			errx(1, "no head");
	head[n] = '\0';
}

static void
write_head(const char *head)
{
	if (write(p.fd, head, strlen(head)) != (ssize_t)strlen(head))
		err(1, "write");
}

static void
upgrade(void)
{
	char head[4096], reply[512], accept_value[WS_ACCEPT_LEN + 1], *key;

	if (p.client) {
		write_head("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"
		    "Upgrade: websocket\r\nConnection: Upgrade\r\n"
		    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
		    "Sec-WebSocket-Version: 13\r\n\r\n");
		read_head(head, sizeof(head));
		if (strncmp(head, "HTTP/1.1 101 ", 13) != 0)
			errx(1, "no upgrade: %s", head);
		return;
	}
	read_head(head, sizeof(head));
	if ((key = strcasestr(head, "\r\nSec-WebSocket-Key: ")) == NULL ||
	    strlen(key) < 21 + WS_KEY_LEN)
		errx(1, "no key: %s", head);
	ws_accept_key(key + 21, accept_value);
	snprintf(reply, sizeof(reply), "HTTP/1.1 101 Switching Protocols\r\n"
	    "Upgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Accept: %s\r\n\r\n", accept_value);
	write_head(reply);
}

static void
report(void)
{
	struct yamux_stats s;

	yamux_get_stats(p.y, &s);
	printf("{\"opened\":%u,\"good\":%u,\"bad\":%u,\"accepted\":%u,"
	    "\"resets\":%u,\"refused\":%u,\"refused_in\":%llu,", p.opened,
	    p.good, p.bad, p.accepted, p.resets, p.refused,
	    (unsigned long long)s.refused);
	printf("\"goaway_stops_open\":%s,\"pings_in\":%llu,\"rtt_ms\":%.3f,"
	    "\"streams_left\":%u,\"credit_left\":%llu,\"credit_peak\":%llu,",
	    p.no_open ? "true" : "false", (unsigned long long)s.pings_in,
	    (double)s.rtt_min / 1e6, s.streams, (unsigned long long)s.credit,
	    (unsigned long long)p.credit_peak);
	printf("\"peer_code\":%u,\"seconds\":%.3f,\"error\":\"%s\"}\n",
	    ws_peer_code(&p.ws), (double)(now_ns() - p.started) / 1e9, p.error);
}

int
main(int argc, char *argv[])
{
	const char *port = NULL;
	struct yamux_config cf;
	int ch, one = 1;

	p.role = "mix";
	p.total = 1000;
	p.parallel = 64;
	while ((ch = getopt(argc, argv, "c:n:p:r:")) != -1) {
		switch (ch) {
		case 'c':
			port = optarg;
			break;
		case 'n':
			p.total = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'p':
			p.parallel = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'r':
			p.role = optarg;
			break;
		default:
			errx(2, "usage: yamux_peer [-c port] [-n streams] "
			    "[-p parallel] [-r role]");
		}
	}
	if (sodium_init() == -1)
		errx(1, "libsodium");
	p.client = port != NULL;
	p.fd = p.client ? tcp_connect(port) : tcp_listen();
	setsockopt(p.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	upgrade();
	fcntl(p.fd, F_SETFL, fcntl(p.fd, F_GETFL) | O_NONBLOCK);
	ws_init(&p.ws, p.client ? WS_CLIENT : WS_SERVER, NULL);
	yamux_config_default(&cf);
	cf.ping_every = YAMUX_NSEC;
	if (strcmp(p.role, "backlog") == 0)
		cf.unacked_max = 300;
	p.y = yamux_new(p.client ? YAMUX_CLIENT : YAMUX_SERVER, &cf, &callbacks,
	    NULL);
	if (p.y == NULL)
		err(1, "yamux_new");
	p.started = now_ns();
	loop();
	report();
	yamux_free(p.y);
	close(p.fd);
	return (p.bad != 0 || p.error[0] != '\0');
}
