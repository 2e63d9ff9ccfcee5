/* SPDX-License-Identifier: ISC */
/* Messages and channels: every way a packet can be wrong, and who pays. */
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <netinet/in.h>

#include <event2/event.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "imsg/call.h"
#include "imsg/imsg.h"
#include "base/log.h"
#include "imsg/msg.h"
#include "regress/lib/tap.h"

enum { ST_A, ST_B };

static struct event_base	*base;
/*
 * What send() and sendmsg() below say instead of sending, and how often it was
 * asked.
 */
static struct {
	int	error, calls;
} kernel;
static struct {
	int		 handled, closed, offence, answers, nulls;
	uint64_t	 value;
	char		 reason[256];
	int		 fd;
	int		 free_in_handler;
} seen;

ssize_t
sendmsg(int fd, const struct msghdr *mh, int flags)
{
	kernel.calls++;
	if (kernel.error == 0)
		return (syscall(SYS_sendmsg, fd, mh, flags));
	errno = kernel.error;
	return (-1);
}

ssize_t
send(int fd, const void *buf, size_t len, int flags)
{
	kernel.calls++;
	if (kernel.error == 0)
		return (syscall(SYS_sendto, fd, buf, len, flags, NULL, 0));
	errno = kernel.error;
	return (-1);
}

/* What a message carries, as bytes. */
static void
fields(const struct imsg *m, struct wget *w)
{
	wget_init(w, m->p, (size_t)(m->end - m->p));
}

static int
on_value(struct chan *c, struct imsg *m)
{
	struct wget	w;

	fields(m, &w);
	if (wget_u64(&w, &seen.value) == -1 || wget_end(&w) == -1)
		return (-1);
	seen.handled++;
	if (seen.free_in_handler)
		chan_free(c);
	return (0);
}

static int
on_fd(struct chan *c, struct imsg *m)
{
	struct wget	w;
	uint8_t		kind;
	uint32_t	protocol;

	(void)c;
	fields(m, &w);
	if ((m->type == IMSG_KEYFILE && wget_u8(&w, &kind) == -1) ||
	    (m->type == IMSG_CHANNEL && wget_u32(&w, &protocol) == -1) ||
	    wget_end(&w) == -1)
		return (-1);
	seen.fd = m_take_fd(m);
	seen.handled++;
	return (0);
}

static const struct dispatch	table[] = {
	{ IMSG_CLOCK, ROLE_BIT(ROLE_PARENT), S(ST_A), 0, on_value },
	{ IMSG_CHANNEL, ROLE_BIT(ROLE_PARENT), S_ANY, 0, on_fd },
	{ IMSG_KEYFILE, ROLE_BIT(ROLE_PARENT), S_ANY, 0, on_fd },
	{ IMSG_STOP, ROLE_BIT(ROLE_AUTHD), S_ANY, 0, on_value },
	{ IMSG_CREDIT, ROLE_BIT(ROLE_PARENT), S_ANY, MF_ANSWER, NULL },
	{ IMSG_GRANT_DROP, ROLE_BIT(ROLE_PARENT), S_ANY, MF_ONCE, on_value },
	{ IMSG_PROBE, ROLE_BIT(ROLE_PARENT), S_ANY, MF_REQUEST, on_value },
};

static void
on_closed(struct chan *c, int offence, const char *reason)
{
	seen.closed++;
	seen.offence = offence;
	snprintf(seen.reason, sizeof(seen.reason), "%s", reason);
	chan_free(c);
}

static int
on_answer(struct chan *c, struct imsg *m, void *arg)
{
	struct msg_credit	in;

	(void)c;
	(void)arg;
	if (m == NULL) {
		seen.nulls++;
		return (0);
	}
	if (get_credit(m, &in) == -1)
		return (-1);
	seen.answers++;
	seen.value = in.mib;
	return (0);
}

static int
open_fds(void)
{
	int	fd, n = 0;

	for (fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) != -1;
	return (n);
}

static void
turn(void)
{
	int	i;

	for (i = 0; i < 4; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

/* A fresh channel; the far end comes back as a bare socket. */
static struct chan *
fresh(int *far)
{
	struct chan	*c;
	int		 sv[2];

	memset(&seen, 0, sizeof(seen));
	seen.fd = -1;
	if (imsg_pair(sv) == -1)
		fatal("pair");
	c = chan_new(base, sv[0], ROLE_PARENT, table,
	    sizeof(table) / sizeof(table[0]), on_closed, NULL);
	*far = sv[1];
	return (c);
}

static void
packet(uint8_t *buf, uint32_t type, uint32_t id)
{
	memcpy(buf, &type, 4);
	memcpy(buf + 4, &id, 4);
}

/* Send `len` payload bytes of `type` with n descriptors; true: it offended. */
static int
offends(uint32_t type, uint32_t id, size_t len, int nfds, int fd)
{
	static uint8_t	 buf[IMSG_MAX + 64];
	struct iovec	 iov = { buf, IMSG_HDR + len };
	struct msghdr	 mh = { 0 };
	struct cmsghdr	*cm;
	union {
		struct cmsghdr	h;
		uint8_t		b[CMSG_SPACE(sizeof(int) * 8)];
	} cb;
	struct chan	*c;
	int		 far, fds[8], i;

	c = fresh(&far);
	memset(buf, 0, sizeof(buf));
	packet(buf, type, id);
	mh.msg_iov = &iov;
	mh.msg_iovlen = 1;
	if (nfds > 0) {
		memset(&cb, 0, sizeof(cb));
		for (i = 0; i < nfds; i++)
			fds[i] = fd;
		mh.msg_control = &cb;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)nfds);
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)nfds);
		memcpy(CMSG_DATA(cm), fds, sizeof(int) * (size_t)nfds);
	}
	if (sendmsg(far, &mh, 0) == -1)
		fatal("sendmsg");
	turn();
	if (!seen.closed)
		chan_free(c);
	if (seen.fd != -1)
		close(seen.fd);
	close(far);
	return (seen.closed && seen.offence);
}

static void
test_offences(void)
{
	int	before = open_fds(), file, sv[2];

	file = open("/dev/null", O_RDONLY);
	if (imsg_pair(sv) == -1)
		fatal("pair");
	ok(!offends(IMSG_CLOCK, 0, 8, 0, -1), "a good message passes");
	ok(seen.handled == 1, "and its handler ran");
	ok(offends(IMSG_CLOCK, 0, 7, 0, -1), "a byte short");
	ok(offends(IMSG_CLOCK, 0, 9, 0, -1), "a byte long");
	ok(offends(IMSG_CLOCK, 0, 8, 1, sv[0]), "a surplus descriptor");
	ok(offends(IMSG_CHANNEL, 0, 4, 0, -1), "a missing descriptor");
	ok(offends(IMSG_CHANNEL, 0, 4, 2, sv[0]), "two where one is wanted");
	ok(offends(IMSG_CHANNEL, 0, 4, 8, sv[0]), "eight where one is wanted");
	ok(offends(IMSG_CHANNEL, 0, 4, 1, file),
	    "a file where a socket is wanted");
	ok(!offends(IMSG_CHANNEL, 0, 4, 1, sv[0]), "a socket is taken");
	ok(!offends(IMSG_KEYFILE, 0, 1, 1, file), "a file where it is allowed");
	ok(offends(IMSG_STOP, 0, 8, 0, -1), "a type this role may not send");
	ok(offends(IMSG_COUNT + 7, 0, 8, 0, -1), "an unknown type");
	ok(offends(IMSG_PROBE, 0, 0, 0, -1), "a request without id");
	ok(offends(IMSG_CREDIT, 0, 4, 0, -1), "an answer without id");
	ok(!offends(IMSG_CREDIT, 99, 4, 0, -1), "a late answer is dropped");
	ok(offends(IMSG_CLOCK, 0, IMSG_MAX, 0, -1), "longer than a message");
	close(file);
	close(sv[0]);
	close(sv[1]);
	is_int(open_fds(), before, "no descriptor leaked");
}

static void
test_short_packet(void)
{
	int	far;

	(void)fresh(&far);
	if (write(far, "abc", 3) != 3)
		fatal("write");
	turn();
	ok(seen.closed && seen.offence, "shorter than a header");
	close(far);
}

static void
test_state_and_once(void)
{
	struct chan	*c;
	uint8_t		 buf[16];
	int		 far;

	c = fresh(&far);
	chan_set_state(c, ST_B);
	memset(buf, 0, sizeof(buf));
	packet(buf, IMSG_CLOCK, 0);
	(void)imsg_send(far, buf, 16, -1);
	turn();
	ok(seen.closed && seen.offence, "right message, wrong state");
	close(far);
	(void)fresh(&far);
	packet(buf, IMSG_GRANT_DROP, 0);
	(void)imsg_send(far, buf, 16, -1);
	turn();
	ok(seen.handled == 1 && !seen.closed, "once is once");
	(void)imsg_send(far, buf, 16, -1);
	turn();
	ok(seen.handled == 1 && seen.offence, "twice is an offence");
	close(far);
}

static void
test_end(void)
{
	int	far;

	(void)fresh(&far);
	close(far);
	turn();
	ok(seen.closed == 1 && !seen.offence, "a clean end is no offence");
}

static void
test_free_in_handler(void)
{
	uint8_t	buf[16] = { 0 };
	int	far;

	(void)fresh(&far);
	seen.free_in_handler = 1;
	packet(buf, IMSG_CLOCK, 0);
	(void)imsg_send(far, buf, 16, -1);
	(void)imsg_send(far, buf, 16, -1);
	turn();
	ok(seen.handled == 1 && seen.closed == 0,
	    "a handler may free its channel; nothing more is delivered");
	close(far);
}

static void
test_fields(void)
{
	struct imsg	 m = { 0 };
	struct wget	 w;
	struct blob	 b;
	const char	*why, *s;
	uint8_t		 buf[64], u8;
	uint32_t	 n;
	uint64_t	 u64;

	memset(buf, 0, sizeof(buf));
	packet(buf, IMSG_CONF, 3);
	n = 5;
	memcpy(buf + 8, &n, 4);
	memcpy(buf + 12, "hello", 5);
	ok(imsg_parse(&m, buf, 18, &why) == 0 && m.id == 3, "header");
	fields(&m, &w);
	ok(wget_str(&w, &s, 8) == 0 && strcmp(s, "hello") == 0 &&
	    wget_end(&w) == 0, "a string");
	(void)imsg_parse(&m, buf, 16, &why);
	fields(&m, &w);
	ok(wget_str(&w, &s, 8) == -1, "a string cut short");
	(void)imsg_parse(&m, buf, 17, &why);
	fields(&m, &w);
	ok(wget_str(&w, &s, 8) == -1, "a string without its NUL");
	(void)imsg_parse(&m, buf, 18, &why);
	fields(&m, &w);
	ok(wget_str(&w, &s, 5) == -1, "a string that does not fit");
	buf[13] = 0;
	(void)imsg_parse(&m, buf, 18, &why);
	fields(&m, &w);
	ok(wget_str(&w, &s, 8) == -1, "a string with NUL inside");
	n = 0xffffffff;
	memcpy(buf + 8, &n, 4);
	(void)imsg_parse(&m, buf, 17, &why);
	fields(&m, &w);
	ok(wget_blob(&w, &b, IMSG_MAX) == -1, "a blob that lies");
	(void)imsg_parse(&m, buf, 15, &why);
	fields(&m, &w);
	ok(wget_u64(&w, &u64) == -1, "an integer cut short");
	ok(wget_u8(&w, &u8) == 0 && wget_end(&w) == -1, "left-over bytes");
	ok(imsg_parse(&m, buf, 7, &why) == -1, "a header cut short");
}

static void
test_calls(void)
{
	struct chan	*c;
	uint8_t		 buf[IMSG_MAX];
	uint32_t	 id, v = 77;
	int		 far, fd;
	long		 n;

	c = fresh(&far);
	id = chan_call(c, 60000, on_answer, NULL);
	ok(id != 0 && say_credit_ask(c, id, -1, &(struct msg_credit_ask){
	    .mib = 1 }) == 0, "a call goes out");
	n = imsg_recv(far, buf, &fd);
	ok(n == 12 && memcmp(buf + 4, &id, 4) == 0, "with its id");
	packet(buf, IMSG_CREDIT, id);
	memcpy(buf + 8, &v, 4);
	(void)imsg_send(far, buf, 12, -1);
	turn();
	ok(seen.answers == 1 && seen.value == 77, "its answer comes back");
	(void)imsg_send(far, buf, 12, -1);
	turn();
	ok(seen.answers == 1 && chan_late_answers(c) == 1,
	    "a second answer is late");
	id = chan_call(c, 0, on_answer, NULL);
	usleep(2000);
	turn();
	ok(seen.nulls == 1, "a deadline answers with nothing");
	id = chan_call(c, 60000, on_answer, NULL);
	chan_call_cancel(c, id);
	id = chan_call(c, 60000, on_answer, NULL);
	close(far);
	turn();
	ok(seen.nulls == 2 && seen.closed == 1,
	    "the end of a channel answers what waits, once");
}

/* A question that its asker holds. */
static void
test_held_calls(void)
{
	struct call	 k = { .chan = NULL }, other = { .chan = NULL };
	struct chan	*c;
	uint8_t		 buf[12];
	uint32_t	 id, v = 78;
	int		 far;

	c = fresh(&far);
	is_int(call_start(&k, NULL, 60000, on_answer, NULL), 0,
	    "nobody to ask");
	ok(!call_waits(&k), "so nothing waits");
	call_cancel(&k);
	id = call_start(&k, c, 60000, on_answer, NULL);
	ok(id != 0 && call_waits(&k), "asked");
	packet(buf, IMSG_CREDIT, id);
	memcpy(buf + 8, &v, 4);
	(void)imsg_send(far, buf, 12, -1);
	turn();
	ok(seen.answers == 1 && seen.value == 78 && !call_waits(&k),
	    "answered, and free for the next");
	id = call_start(&k, c, 60000, on_answer, NULL);
	call_cancel(&k);
	packet(buf, IMSG_CREDIT, id);
	(void)imsg_send(far, buf, 12, -1);
	turn();
	ok(seen.answers == 1 && chan_late_answers(c) == 1,
	    "taken back: its answer is late");
	(void)call_start(&k, c, 60000, on_answer, NULL);
	(void)call_start(&other, c, 60000, on_answer, NULL);
	call_cancel(&other);
	close(far);
	turn();
	ok(seen.nulls == 1 && !call_waits(&k),
	    "the channel ends: who waits is told, who took back is not");
	call_cancel(&k);
	call_cancel(&other);
}

static void
test_call_cap(void)
{
	struct chan	*c;
	int		 far, i;

	c = fresh(&far);
	for (i = 0; i < CHAN_CALLS_MAX; i++)
		if (chan_call(c, 60000, on_answer, NULL) == 0)
			break;
	is_int(i, CHAN_CALLS_MAX, "calls up to the cap");
	ok(chan_call(c, 60000, on_answer, NULL) == 0, "one more is refused");
	chan_free(c);
	is_int(seen.nulls, CHAN_CALLS_MAX, "all of them are told the end");
	close(far);
}

static void
test_queue_cap(void)
{
	static uint8_t	 chunk[CHUNK_MAX];
	struct chan	*c;
	size_t		 sent = 0;
	int		 far, r = 0;

	c = fresh(&far);
	while (r == 0 && sent < 2 * CHAN_QUEUE_MAX) {
		r = say_doc_chunk(c, 1, -1, &(struct msg_doc_chunk){
		    .bytes = { chunk, sizeof(chunk) } });
		sent += sizeof(chunk);
	}
	ok(r == -1 && sent > CHAN_QUEUE_MAX / 2, "a peer that does not read");
	ok(seen.closed == 0, "is not closed under the sender's feet");
	turn();
	ok(seen.closed == 1 && seen.offence, "but by the loop");
	close(far);
}

static void
test_too_long_to_send(void)
{
	static uint8_t	 chunk[IMSG_MAX];
	struct chan	*c;
	int		 far, fd = dup(STDIN_FILENO), before;

	c = fresh(&far);
	before = open_fds();
	ok(say_doc_chunk(c, 1, fd, &(struct msg_doc_chunk){
	    .bytes = { chunk, sizeof(chunk) } }) == -1,
	    "a message that does not fit is not sent");
	is_int(open_fds(), before - 1, "and its descriptor is closed");
	ok(say_clock(c, 0, -1, &(struct msg_clock){ .ms = 5 }) == 0,
	    "the channel goes on");
	chan_free(c);
	close(far);
}

static void
test_cork(void)
{
	struct chan	*c;
	uint8_t		 buf[IMSG_MAX];
	int		 far, fd;

	c = fresh(&far);
	chan_cork(c);
	(void)say_stop(c, 0);
	turn();
	ok(imsg_recv(far, buf, &fd) == -1 && errno == EAGAIN,
	    "a corked message waits");
	chan_uncork(c);
	ok(imsg_recv(far, buf, &fd) == IMSG_HDR, "and leaves when uncorked");
	chan_free(c);
	close(far);
}

/* An empty packet ends a channel; what came with it must not stay open. */
static void
test_empty_packet(void)
{
	union {
		struct cmsghdr	h;
		uint8_t		b[CMSG_SPACE(sizeof(int))];
	} cb = { .h = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct iovec	iov = { NULL, 0 };
	struct msghdr	mh = { .msg_iov = &iov, .msg_iovlen = 1,
	    .msg_control = &cb, .msg_controllen = sizeof(cb) };
	int		far, before = open_fds(), in = STDIN_FILENO;

	(void)fresh(&far);
	memcpy(CMSG_DATA(&cb.h), &in, sizeof(in));
	if (sendmsg(far, &mh, 0) == -1)
		fatal("sendmsg");
	turn();
	is_int(seen.closed, 1, "an empty packet ends the channel");
	close(far);
	is_int(open_fds(), before, "and leaves no descriptor behind");
}

/* The far end dies with messages of ours unread: its last words count. */
static void
test_last_words(void)
{
	struct chan	*c;
	uint8_t		 buf[16] = { 0 };
	int		 far;

	c = fresh(&far);
	(void)say_stop(c, 0);
	packet(buf, IMSG_CLOCK, 0);
	buf[8] = 9;
	(void)imsg_send(far, buf, 16, -1);
	close(far);
	turn();
	ok(seen.handled == 1 && seen.value == 9,
	    "what a peer said before it went is heard");
	ok(seen.closed == 1 && !seen.offence, "then the channel ends");
	c = fresh(&far);
	packet(buf, IMSG_CLOCK, 0);
	(void)imsg_send(far, buf, 16, -1);
	close(far);
	(void)say_stop(c, 0);
	turn();
	ok(seen.handled == 1 && seen.closed == 1,
	    "also when sending notices first");
}

/* Our own descriptor table is full: not the sender's fault. */
static void
test_no_room(void)
{
	struct rlimit	 old, rl;
	uint8_t		 buf[16] = { 0 };
	int		 far, i, n, filler[256];

	(void)fresh(&far);
	getrlimit(RLIMIT_NOFILE, &old);
	rl = old;
	rl.rlim_cur = 200;
	setrlimit(RLIMIT_NOFILE, &rl);
	for (n = 0; n < 256 && (filler[n] = dup(STDIN_FILENO)) != -1; n++)
		continue;
	packet(buf, IMSG_CHANNEL, 0);
	(void)imsg_send(far, buf, IMSG_HDR + 4, far);
	packet(buf, IMSG_CLOCK, 0);
	buf[8] = 3;
	(void)imsg_send(far, buf, 16, -1);
	turn();
	ok(seen.fd == -1 && seen.closed == 0,
	    "a descriptor without room is lost with its message");
	ok(seen.handled == 1 && seen.value == 3, "the next message is taken");
	for (i = 0; i < n; i++)
		close(filler[i]);
	setrlimit(RLIMIT_NOFILE, &old);
	packet(buf, IMSG_CHANNEL, 0);
	(void)imsg_send(far, buf, IMSG_HDR + 4, far);
	turn();
	ok(seen.fd != -1, "and the next descriptor");
	close(seen.fd);
	close(far);
	turn();
	is_int(seen.closed, 1, "its end is seen");
}

/* Numbers are kept free for what comes uninvited. */
static void
test_spare(void)
{
	uint8_t	buf[16] = { 0 };
	int	far;

	(void)fresh(&far);
	imsg_set_spare(far + 1);
	packet(buf, IMSG_CHANNEL, 0);
	(void)imsg_send(far, buf, IMSG_HDR + 4, far);
	turn();
	ok(seen.fd == -1 && seen.closed == 0,
	    "a descriptor above those that may be used is lost");
	imsg_set_spare(far + 2);
	(void)imsg_send(far, buf, IMSG_HDR + 4, far);
	turn();
	is_int(seen.fd, far + 1, "below it is taken");
	imsg_set_spare(1 << 20);
	close(seen.fd);
	close(far);
	turn();
}

/* A socket in a socket in a socket: each is emptied before it is closed. */
static void
test_nested(void)
{
	struct linger	 on = { 1, 0 };
	uint8_t		 buf[16] = { 0 };
	socklen_t	 len = sizeof(on);
	int		 i, in, out, sv[2], watched, n = open_fds();

	watched = socket(AF_INET, SOCK_STREAM, 0);
	(void)setsockopt(watched, SOL_SOCKET, SO_LINGER, &on, sizeof(on));
	in = dup(watched);
	for (i = 0; i < 3; i++) {
		if (imsg_pair(sv) == -1)
			fatal("pair");
		(void)imsg_send(sv[1], buf, IMSG_HDR, in);
		close(in);
		close(sv[1]);
		in = sv[0];
	}
	out = in;
	imsg_drop_fd(out);
	(void)getsockopt(watched, SOL_SOCKET, SO_LINGER, &on, &len);
	is_int(on.l_onoff, 0, "what lies three sockets deep is disarmed");
	close(watched);
	is_int(open_fds(), n, "and nothing stays open");
}

/* Too many descriptors on their way: the socket stays writable all along. */
static void
test_shortage(int error, const char *what)
{
	struct chan	*c;
	uint8_t		 buf[IMSG_MAX];
	int		 far, fd, i;

	c = fresh(&far);
	kernel.error = error;
	kernel.calls = 0;
	is_int(say_channel(c, 0, dup(STDIN_FILENO), &(struct msg_channel){
	    .end_ = 0 }), 0, "%s: the message waits", what);
	for (i = 0; i < 100; i++)
		turn();
	ok(kernel.calls < 50, "%s: without a busy loop", what);
	(void)say_stop(c, 0);
	is_int(seen.closed, 0, "%s: the channel lives", what);
	kernel.error = 0;
	clock_move(1000);
	turn();
	ok(imsg_recv(far, buf, &fd) == IMSG_HDR + 4 && fd != -1,
	    "%s: later it leaves", what);
	close(fd);
	ok(imsg_recv(far, buf, &fd) == IMSG_HDR && fd == -1,
	    "%s: and the next behind it", what);
	kernel.error = error;
	(void)say_stop(c, 0);
	is_int(chan_flush(c), -1, "%s: chan_flush gives up", what);
	kernel.error = 0;
	chan_free(c);
	close(far);
}

/* Small messages are charged what they take, not what they carry. */
static void
test_queue_of_small(void)
{
	struct chan	*c;
	size_t		 n = 0;
	int		 far;

	c = fresh(&far);
	while (say_stop(c, 0) == 0 && n < CHAN_QUEUE_MAX / IMSG_HDR)
		n++;
	ok(n < CHAN_QUEUE_MAX / (4 * IMSG_HDR), "%zu small messages fill a queue", n);
	chan_free(c);
	close(far);
}

/* close() with SO_LINGER waits for the peer even on a non-blocking socket. */
static void
test_linger(void)
{
	struct sockaddr_in	sin = { .sin_family = AF_INET };
	struct linger		on = { 1, 3000 };
	socklen_t		len = sizeof(sin);
	static uint8_t		bytes[65536];
	uint8_t			buf[IMSG_HDR + 1] = { 0 };
	int			l, a, b, far, small = 4096;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if ((l = socket(AF_INET, SOCK_STREAM, 0)) == -1 ||
	    setsockopt(l, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)) == -1 ||
	    bind(l, (void *)&sin, len) == -1 || listen(l, 1) == -1 ||
	    getsockname(l, (void *)&sin, &len) == -1 ||
	    (a = socket(AF_INET, SOCK_STREAM, 0)) == -1 ||
	    connect(a, (void *)&sin, len) == -1 ||
	    (b = accept(l, NULL, NULL)) == -1)
		fatal("loopback");
	while (send(a, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		continue;
	setsockopt(a, SOL_SOCKET, SO_LINGER, &on, sizeof(on));
	(void)fresh(&far);
	packet(buf, IMSG_CHANNEL, 0);
	(void)imsg_send(far, buf, IMSG_HDR + 5, a);	/* a byte long */
	close(a);
	turn();
	ok(seen.closed && seen.offence, "a lingering socket that nobody takes "
	    "is closed without waiting");
	close(far);
	close(b);
	close(l);
}

static int
on_gone(struct chan *c, struct imsg *m, void *arg)
{
	struct chan	**other = arg;

	seen.nulls += m == NULL;
	if (chan_call(c, 10, on_gone, arg) != 0)
		seen.answers++;
	chan_free(c);
	chan_free(*other);
	*other = NULL;
	return (-1);
}

/* A call's end frees its own channel, and another with calls of its own. */
static void
test_free_in_call(void)
{
	struct chan	*a, *b;
	int		 far[2];

	a = fresh(&far[0]);
	b = fresh(&far[1]);
	(void)chan_call(a, 1000, on_gone, &b);
	(void)chan_call(a, 60000, on_answer, NULL);
	(void)chan_call(b, 60000, on_answer, NULL);
	clock_move(1500);
	turn();
	ok(seen.nulls == 4 && seen.answers == 1 && b == NULL,
	    "a deadline may free channels; every call is told once");
	ok(seen.closed == 0, "and closed() is not called for them");
	close(far[0]);
	close(far[1]);
	a = fresh(&far[0]);
	b = fresh(&far[1]);
	(void)chan_call(a, 60000, on_gone, &b);
	(void)chan_call(b, 60000, on_answer, NULL);
	close(far[0]);
	turn();
	ok(seen.nulls == 2 && seen.closed == 0,
	    "so may the end of the channel itself");
	close(far[1]);
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
	base = event_base_new();
	clock_init(base);
	test_offences();
	test_short_packet();
	test_state_and_once();
	test_end();
	test_free_in_handler();
	test_fields();
	test_calls();
	test_held_calls();
	test_call_cap();
	test_queue_cap();
	test_too_long_to_send();
	test_cork();
	test_empty_packet();
	test_last_words();
	test_no_room();
	test_spare();
	test_nested();
	test_shortage(ETOOMANYREFS, "too many descriptors on their way");
	test_shortage(ENOBUFS, "no buffers");
	test_queue_of_small();
	test_linger();
	test_free_in_call();
	clock_clear();
	event_base_free(base);
	done_testing();
	return (tap_status());
}
