/* SPDX-License-Identifier: ISC */
/*
 * rendd between peers that come to either slot of two channels, plain or such
 * as can be taken up again, say frames, pieces of them or any bytes, read or do
 * not, go and come back, while authd answers when it likes, or is another, and
 * time passes.
 *
 * Besides what the sanitizers see: the table of slots agrees with itself and
 * with what authd was told; what a peer gets are whole frames of a server, and
 * behind their headers each byte that its counterpart said, once and in order;
 * and at the end nobody is left.
 */
#include <sys/socket.h>

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "proc/proc.h"

static int	has_ended;

/* The process goes on here, without anybody. */
#define proc_exit(status)	((void)(has_ended = 1))
#define main			rendd_main
#include "rendd/rendd.c"
#include "rendd/pair.c"
#undef main
#undef proc_exit

#include "fuzz.h"
#include "process.h"

#define CHECK(cond)	do { if (!(cond)) abort(); } while (0)
#define ENDS		6
#define CHANNELS	2
#define STEPS_MAX	96
#define SAID_MAX	(2 << 20)	/* bytes that all say in one play */
#define SEQ		4		/* bytes before the rest of a message */
#define LITTLE		4096	/* room in a socket, bytes */
#define HEAD		"HTTP/1.1 101 Switching Protocols\r\n\r\n"

/* Who speaks: the same over all connections of one that is taken up again. */
struct who {
	uint16_t	id;
	uint64_t	said;		/* its last message's number */
	size_t		pos;		/* of the one it is in; 0: none */
	int		text;
	uint64_t	seen;		/* of the other's */
	uint16_t	from;		/* 0: of nobody yet */
};

struct end {
	int		 fd, theirs;	/* -1: not there */
	unsigned	 channel, slot;
	int		 resumes, deaf, wait;
	int		 stale;		/* another says that it is who this was */
	uint64_t	 nonce;
	uint32_t	 asked;		/* authd is, under this; 0: not */
	struct who	*who;
	int		 again, sat;
	uint8_t		*out;		/* what it has to say */
	size_t		 out_len;
	/* how it reads */
	int		 phase;		/* 0 the head, 1 frames, 2 a close came */
	char		 head[512];
	size_t		 head_len;
	uint8_t		 frame[10];	/* header of the one that comes */
	size_t		 frame_len, left;
	int		 open, control;	/* a message has begun; in a control */
	size_t		 at;		/* in the message */
	uint8_t		 start[RESUME_HEADER + SEQ];
};

static struct take	 t;
static struct end	 ends[ENDS];
static struct who	 whos[STEPS_MAX + 1];	/* by id */
static struct who	*sitting[CHANNELS][2];	/* or was, who may come back */
static int		 odd[CHANNELS][2];	/* said what we do not follow */
static int		 told[CHANNELS][2];	/* authd: it is taken */
static size_t		 said;
static uint16_t		 ids;
static uint64_t		 nonces;
static int		 begun, closed;

/* --- what they say --- */

static uint8_t
byte_of(const struct who *w, uint64_t number, size_t pos)
{
	uint8_t	start[SEQ] = { (uint8_t)(w->id >> 8), (uint8_t)w->id,
		    (uint8_t)(number >> 8), (uint8_t)number };

	return (pos < SEQ ? start[pos] : (uint8_t)(w->id + number + pos));
}

/* A masked frame; what its key is, is not looked at. */
static size_t
frame_put(uint8_t *dst, int first, const uint8_t *p, size_t len)
{
	static const uint8_t	key[4] = { 1, 2, 3, 4 };
	size_t			n = ws_header(dst, WS_OP_BINARY, len, key);

	dst[0] = (uint8_t)first;
	memcpy(dst + n, p, len);
	ws_mask(dst + n, len, key, 0);
	return (n + len);
}

static void
put(struct end *e, int first, const uint8_t *p, size_t len)
{
	uint8_t	*more;

	if (said + len > SAID_MAX)
		return;
	said += len + WS_HEADER_MAX;
	if ((more = realloc(e->out, e->out_len + len + WS_HEADER_MAX)) == NULL)
		abort();
	e->out = more;
	e->out_len += frame_put(e->out + e->out_len, first, p, len);
}

static size_t
size_of(uint8_t how)
{
	static const size_t	sizes[] = { 125, 126, 1000, 8000, 20000, 60000,
	    65535, 65536, 100000, 200000, 256 * 1024 };

	return (how < 200 ? how % 40 : sizes[how % 11]);
}

/* A message, or a piece of one: FIN, text, and how long. */
static void
say(struct end *e, uint8_t how, uint8_t long_)
{
	static uint8_t	 buf[RESUME_HEADER + 256 * 1024];
	struct who	*w = e->who;
	size_t		 len = size_of(long_), n = 0, i;
	int		 first = w->pos != 0 ? WS_OP_CONT : WS_OP_BINARY;

	if (said + len > SAID_MAX)
		return;
	if (w->pos == 0) {
		w->said++;
		w->text = how & 2;
		if (e->resumes) {
			buf[n++] = w->text ? RESUME_TEXT : RESUME_BINARY;
			for (i = 0; i < 8; i++)
				buf[n++] = (uint8_t)(w->said >> (56 - 8 * i));
		} else if (w->text)
			first = WS_OP_TEXT;
		w->pos = 1;
	}
	for (i = 0; i < len; i++)
		buf[n++] = byte_of(w, w->said, w->pos++ - 1);
	put(e, first | (how & 1 ? 0x80 : 0), buf, n);
	if (how & 1)
		w->pos = 0;
}

/* A ping, a pong, a close, an acknowledgement, or one that is none. */
static void
control(struct end *e, uint8_t how)
{
	uint64_t	n = e->who->seen + (how & 8 ? take_byte(&t) : 0U);
	uint8_t		buf[125] = { 3, (uint8_t)(232 + how / 16) };
	size_t		i;

	switch (how & 7) {
	case 0:
		put(e, 0x89, buf, how / 2);
		break;
	case 1:
		put(e, 0x8a, buf, how / 2);
		break;
	case 2:
		put(e, 0x88, buf, how & 8 ? how / 16U : 2);
		odd[e->channel][e->slot] = 1;
		break;
	default:
		if (!e->resumes || e->who->pos != 0)
			break;
		buf[0] = RESUME_ACKED;
		for (i = 0; i < 8; i++)
			buf[1 + i] = (uint8_t)(n >> (56 - 8 * i));
		put(e, 0x82, buf, RESUME_HEADER);
		if (how & 8)
			odd[e->channel][e->slot] = 1;
	}
}

static void
raw(struct end *e, size_t len)
{
	const uint8_t	*p = take_bytes(&t, len, &len);

	odd[e->channel][e->slot] = 1;
	if (len > 0)
		(void)send(e->fd, p, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* --- what they get --- */

/* A byte of a message: of whom, which, and is it the right one? */
static void
data_byte(struct end *e, uint8_t b)
{
	const uint8_t	*start = e->start;
	struct who	*w = e->who;
	size_t		 at = e->at++;
	uint64_t	 number = 0;
	size_t		 i;

	if (at < sizeof(e->start))
		e->start[at] = b;
	if (e->resumes) {
		if (at < RESUME_HEADER)
			return;
		CHECK(e->start[0] <= RESUME_TEXT);
		for (i = 0; i < 8; i++)
			number = number << 8 | e->start[1 + i];
		CHECK(number == w->seen + 1);
		at -= RESUME_HEADER;
		start += RESUME_HEADER;
	}
	if (odd[e->channel][e->slot ^ 1] || at + 1 < SEQ)
		return;
	if (at + 1 == SEQ) {
		CHECK(w->from == 0 || w->from == (start[0] << 8 | start[1]));
		w->from = (uint16_t)(start[0] << 8 | start[1]);
		CHECK((start[2] << 8 | start[3]) ==
		    (uint16_t)(w->seen + 1));
	} else
		CHECK(b == (uint8_t)(w->from + w->seen + 1 + at));
}

static void
message_over(struct end *e)
{
	if (!e->resumes)
		e->who->seen++;
	else {
		CHECK(e->at >= RESUME_HEADER && e->start[0] <= RESUME_ACKED);
		if (e->start[0] == RESUME_ACKED)
			CHECK(e->at == RESUME_HEADER);
		else
			e->who->seen++;
	}
	e->at = 0;
}

static void
frame_over(struct end *e)
{
	if (!e->control && (e->frame[0] & 0x80)) {
		message_over(e);
		e->open = 0;
	} else if ((e->frame[0] & 15) == WS_OP_CLOSE)
		e->phase = 2;
	e->frame_len = 0;
}

/* The header of a frame is whole? */
static void
frame_byte(struct end *e, uint8_t b)
{
	size_t	n, i, head;
	int	op;

	e->frame[e->frame_len++] = b;
	if (e->frame_len < 2)
		return;
	n = e->frame[1];
	CHECK(n < 128 && (e->frame[0] & 0x70) == 0);
	head = n < 126 ? 2 : n == 126 ? 4 : 10;
	if (e->frame_len < head)
		return;
	if (head > 2)
		for (n = 0, i = 2; i < head; i++)
			n = n << 8 | e->frame[i];
	op = e->frame[0] & 15;
	e->control = op >= WS_OP_CLOSE;
	if (e->control)
		CHECK((e->frame[0] & 0x80) && n <= WS_CONTROL_MAX &&
		    op <= WS_OP_PONG);
	else {
		CHECK(op <= WS_OP_BINARY && (op == WS_OP_CONT) == e->open);
		e->open = 1;
	}
	e->left = n;
	if (n == 0)
		frame_over(e);
}

static void
got_byte(struct end *e, uint8_t b)
{
	if (e->phase == 2)
		abort();		/* nothing comes behind a close */
	if (e->phase == 0) {
		CHECK(e->head_len < sizeof(e->head) - 1);
		e->head[e->head_len++] = (char)b;
		if (e->head_len >= 4 && memcmp(e->head + e->head_len - 4,
		    "\r\n\r\n", 4) == 0)
			e->phase = memcmp(e->head, HEAD, 12) == 0 ? 1 : 3;
	} else if (e->phase == 1 && (e->frame_len == 0 || e->left == 0))
		frame_byte(e, b);
	else if (e->phase == 1) {
		if (!e->control)
			data_byte(e, b);
		if (--e->left == 0)
			frame_over(e);
	}
}

static void
gone(struct end *e)
{
	if (e->fd == -1)
		return;
	close(e->fd);
	free(e->out);
	e->out = NULL;
	e->out_len = 0;
	e->fd = e->theirs = -1;
	e->who->pos = 0;
}

/* 1: something has moved. */
static int
listen_to(struct end *e)
{
	static uint8_t	buf[65536];
	ssize_t		n, i;

	if (e->fd == -1 || e->deaf)
		return (0);
	if ((n = recv(e->fd, buf, sizeof(buf), MSG_DONTWAIT)) == -1 &&
	    errno == EAGAIN)
		return (0);
	for (i = 0; i < n && !e->stale; i++)
		got_byte(e, buf[i]);
	if (n <= 0)
		gone(e);
	return (1);
}

static int
speak(struct end *e)
{
	ssize_t	n;

	if (e->fd == -1 || e->out_len == 0)
		return (0);
	n = send(e->fd, e->out, e->out_len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n == -1) {
		if (errno != EAGAIN)
			e->out_len = 0;
		return (0);
	}
	memmove(e->out, e->out + n, e->out_len - (size_t)n);
	e->out_len -= (size_t)n;
	return (1);
}

/* --- authd --- */

static void
answer(struct end *e, uint8_t how)
{
	struct msg_seated	m = { .message = "no", .session =
	    "0f8b1c2d-3e4f-5061-7283-94a5b6c7d8e9",
	    .channel = (uint16_t)e->channel, .slot = (uint8_t)e->slot };

	if (how % 8 == 6)
		m.status = 409;
	else if (how % 8 == 7)
		m.code = WS_POLICY;
	CHECK(process_say(process_authd(), IMSG_SEATED, e->asked, -1,
	    &m) == 0);
	e->asked = 0;
}

static void
slot_told(const struct imsg *m)
{
	struct msg_slot	in;

	CHECK(get_slot(m, &in) == 0 && in.channel < CHANNELS && in.slot < 2 &&
	    told[in.channel][in.slot] != in.taken);
	told[in.channel][in.slot] = in.taken;
}

static void
authd_hears(void)
{
	struct msg_seat	 in;
	struct imsg	 m;
	struct end	*e;
	int		 r;

	while ((r = process_hear(process_authd(), &m)) != 0) {
		CHECK(r != -1 && m.fd == -1);
		if (m.type == IMSG_SLOT)
			slot_told(&m);
		if (m.type != IMSG_SEAT || get_seat(&m, &in) == -1)
			continue;
		for (e = ends; e < ends + ENDS; e++)
			if (e->nonce == in.nonce) {
				e->asked = m.id;
				if (!e->wait)
					answer(e, 0);
			}
	}
	while (process_hear(process_parent(), &m) > 0)
		continue;
}

/* --- what has to hold --- */

static void
check_leg(const struct leg *l)
{
	const struct leg	*seat = pair.seats[l->channel][l->slot];
	int			 sits = l->state == LEG_SEATED ||
				    l->state == LEG_AWAY;

	CHECK(l->channel < CHANNELS && l->slot < SLOT_COUNT);
	CHECK(sits == (seat == l));
	CHECK((l->fd == -1) == (l->state == LEG_AWAY));
	if (l->peer != NULL)
		CHECK(sits && l->peer->peer == l &&
		    pair.seats[l->channel][l->slot ^ 1] == l->peer &&
		    l->held == NULL);
	if (l->knocker != NULL)
		CHECK(sits && l->knocker->state == LEG_KNOCKING &&
		    l->knocker->channel == l->channel &&
		    l->knocker->slot == l->slot);
	if (l->out != NULL)
		CHECK(l->out->off + l->out->len <= sizeof(l->out->data));
	if (l->held != NULL)
		CHECK(l->held->off + l->held->len <= sizeof(l->held->data));
	if (sits)
		CHECK(told[l->channel][l->slot] == (l->state == LEG_SEATED));
}

static void
check_all(void)
{
	const struct leg	*l;
	unsigned		 n = 0, c, s;

	TAILQ_FOREACH(l, &pair.legs, entry) {
		check_leg(l);
		n++;
	}
	CHECK(n == pair.nlegs);
	for (c = 0; c < CHANNELS; c++)
		for (s = 0; s < SLOT_COUNT; s++)
			if (pair.seats[c][s] == NULL)
				CHECK(!told[c][s]);
}

/*
 * Who has come to sit, and is it who it says? Another may be there meanwhile.
 */
static void
follow(struct end *e)
{
	const struct leg	*l = pair.seats[e->channel][e->slot];
	struct who		**w = &sitting[e->channel][e->slot];

	if (e->fd == -1 || e->sat || l == NULL || l->fd != e->theirs)
		return;
	e->sat = 1;
	if (e->again && *w != e->who)
		odd[e->channel][e->slot] = e->stale = 1;
	*w = e->who;
}

static void
settle(void)
{
	unsigned	i, k, moved = 1;

	for (k = 0; k < 3 || (moved && k < 40); k++) {
		moved = 0;
		for (i = 0; i < ENDS; i++)
			moved |= (unsigned)speak(&ends[i]);
		process_turn(1);
		for (i = 0; i < ENDS; i++)
			follow(&ends[i]);
		authd_hears();
		for (i = 0; i < ENDS; i++)
			moved |= (unsigned)listen_to(&ends[i]);
	}
	check_all();
}

/* --- the play --- */

/* It says that it is who is there, or has been, and has seen so much. */
static void
take_up(struct end *e, uint8_t how)
{
	struct leg	*l = pair.seats[e->channel][e->slot];
	struct who	*w = sitting[e->channel][e->slot];
	struct end	*o;

	for (o = ends; o < ends + ENDS; o++)
		if (o != e && o->fd != -1 && o->who == w)
			o->stale = 1;
	if (w != NULL)
		e->who = w;
	e->who->pos = 0;
	if (l != NULL && l->resume != NULL)
		e->who->said = l->resume->in;
	else
		odd[e->channel][e->slot] = 1;
	if (how & 1)
		e->who->seen += how >> 4;
	else if (how & 2)
		e->who->seen -= e->who->seen > 0;
}

static void
come(struct end *e, uint8_t where)
{
	static uint8_t	bytes[GIVE_BYTES_MAX];
	size_t		len = strlen(HEAD);
	uint8_t		n = take_byte(&t);
	int		sv[2], little = LITTLE;

	memset(e, 0, sizeof(*e));
	e->channel = where & 1;
	e->slot = (where >> 1) & 1;
	e->resumes = (where & 12) != 0;
	e->wait = (where & 16) != 0;
	e->nonce = ++nonces;
	e->who = &whos[++ids];
	e->who->id = ids;
	if ((e->again = (where & 12) > 4))
		take_up(e, n >> 2);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
	    sv) == -1)
		abort();
	e->fd = sv[0];
	e->theirs = sv[1];
	if (where & 32)
		(void)setsockopt(sv[1], SOL_SOCKET, SO_SNDBUF, &little,
		    sizeof(little));
	memcpy(bytes, HEAD, len);
	for (n &= 3; n > 0; n--)
		say(e, 1 | (n & 2), take_byte(&t));
	if (e->out_len <= sizeof(bytes) - len) {
		if (e->out_len > 0)
			memcpy(bytes + len, e->out, e->out_len);
		len += e->out_len;
		e->out_len = 0;
	}
	CHECK(process_say(process_parent(), IMSG_GIVE, 0, sv[1],
	    &(struct msg_give){ .class = CLASS_RELAY, .nonce = e->nonce,
	    .addr = "192.0.2.1", .accept = "", .request = where & 64 ?
	    "0123abcd" : "",
	    .bytes = { bytes, len }, .resume = (uint8_t)(e->again ?
	    RESUME_AGAIN : e->resumes ? RESUME_FRESH : RESUME_NOT),
	    .seen = e->who->seen }) == 0);
}

/* Who answers the old one's questions is not there any more. */
static void
renew(void)
{
	unsigned	i;

	authd_hears();
	process_renew();
	memset(told, 0, sizeof(told));
	for (i = 0; i < ENDS; i++)
		ends[i].asked = 0;
}

static void
event(struct end *e, uint8_t how)
{
	switch (how & 7) {
	case 0:
		gone(e);
		break;
	case 1:
		if (e->fd != -1)
			shutdown(e->fd, SHUT_WR);
		break;
	case 2:
		e->deaf = !e->deaf;
		break;
	case 3:
	case 4:
		clock_move(take_byte(&t) * (how & 16 ? 2000U : 100U));
		break;
	case 5:
		if (e->asked != 0)
			answer(e, how >> 3);
		break;
	case 6:
		if (e->fd != -1)
			raw(e, how >> 3);
		break;
	default:
		if ((how >> 3) == 30 && !closed)
			renew();
		if ((how >> 3) == 31 && !closed) {
			closed = 1;
			CHECK(process_say(process_authd(), IMSG_CLOSE, 0, -1,
			    &(struct msg_close){ .code = WS_GOING_AWAY,
			    .reason = "over" }) == 0);
		}
	}
}

static void
step(void)
{
	uint8_t		 op = take_byte(&t), how = take_byte(&t);
	struct end	*e = &ends[(op >> 2) % ENDS];

	if ((op & 3) == 3)
		event(e, how);
	else if (e->fd == -1)
		come(e, how);
	else if ((op & 3) == 2 && !e->stale)
		control(e, how);
	else if (!e->stale)
		say(e, how, take_byte(&t));
	settle();
}

static void
configure(struct conf *c)
{
	c->relay_message = 0;
}

static void
over(void)
{
	unsigned	i;

	for (i = 0; i < ENDS; i++) {
		if (ends[i].asked != 0)
			answer(&ends[i], 6);
		ends[i].deaf = 0;
	}
	settle();
	for (i = 0; i < ENDS; i++)
		gone(&ends[i]);
	/* Who may come back, who knocks, whose close is not answered. */
	for (i = 0; i < 6; i++) {
		settle();
		clock_move(301000);
	}
	settle();
	CHECK(pair.nlegs == 0 && has_ended == closed);
}

static void
afresh(void)
{
	memset(whos, 0, sizeof(whos));
	memset(sitting, 0, sizeof(sitting));
	memset(odd, 0, sizeof(odd));
	memset(told, 0, sizeof(told));
	pair.over = has_ended = closed = 0;
	said = ids = 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	unsigned	i;

	if (!begun) {
		process_start(rendd_main, configure);
		begun = 1;
	}
	afresh();
	for (i = 0; i < ENDS; i++)
		ends[i].fd = -1;
	t.p = data;
	t.end = data + len;
	for (i = 0; t.p < t.end && i < STEPS_MAX; i++)
		step();
	over();
	return (0);
}
