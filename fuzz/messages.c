/* SPDX-License-Identifier: ISC */
/*
 * authd as a hostile muxd, proxyd, termd, tcpd, rendd, paird, dialerd or
 * control sees it: the input is a play in which processes come, say any message
 * with any fields, and go, while time passes. What authd has said is remembered
 * by the names of its fields, so that a play gets through login, grant and
 * stream.
 *
 * Besides what the sanitizers see: who offends ends alone; an answer is to a
 * question that was asked, and comes once; a descriptor goes to whom it may go
 * to; and without a token (the first byte) nobody gets a grant or a stream.
 */
#define main authd_main
#include "authd/authd.c"
#undef main
#include "authd/core/session.h"
#include "ctl/ctl.h"
#include "fuzz.h"
#include "process.h"

#define CHECK(cond)	do { if (!(cond)) abort(); } while (0)
#define FARS		10		/* processes at once */
#define ASKED		32		/* questions of one that are remembered */
#define KNOWN		512		/* values that authd has said */
#define VALUE_MAX	600
#define STEPS_MAX	64
#define DAY_MS		86400000

/* A process other than authd. */
static struct far {
	int		 fd, role;	/* -1: not there */
	uint64_t	 instance;
	int		 bound;		/* a muxd whose login was right */
	uint32_t	 id, asked[ASKED], types[ASKED];
	uint32_t	 called;	/* the last that authd asked */
} far[FARS];

/* What fields of this name have been. */
static struct known {
	char		name[20];
	int		is_number;
	uint64_t	number;
	char		text[VALUE_MAX];
	size_t		len;
} known[KNOWN];
static unsigned	nknown, kept;		/* so many are from before all plays */

static struct take	t;
static int		with_token, done;
static uint64_t		last_instance;
static const uint8_t	roles[] = { ROLE_MUXD, ROLE_PROXYD, ROLE_TERMD,
    ROLE_TCPD, ROLE_RENDD, ROLE_PAIRD, ROLE_DIALERD, ROLE_CONTROL };

/* --- what is remembered --- */

static void
know(const char *name, const void *text, size_t len, uint64_t number,
    int is_number)
{
	struct known	*k;

	if (len >= VALUE_MAX || (!is_number && len == 0))
		return;
	if (nknown < KNOWN)
		k = &known[nknown++];
	else				/* in turns, behind what is kept */
		k = &known[kept + (unsigned)(number + len) % (KNOWN - kept)];
	memset(k, 0, sizeof(*k));
	strlcpy(k->name, name, sizeof(k->name));
	k->is_number = is_number;
	k->number = number;
	if (len > 0)
		memcpy(k->text, text, len);
	k->len = len;
}

static void
know_text(const char *name, const char *text)
{
	char	slug[SLUG_SIZE], *p = slug;

	know(name, text, strlen(text), 0, 0);
	if (strcmp(name, "session") != 0 || strlen(text) != UUID_SIZE - 1)
		return;
	know("sibling", text, strlen(text), 0, 0);
	for (; *text != '\0'; text++)
		if (*text != '-')
			*p++ = *text;
	*p = '\0';
	know_text("slug", slug);
}

/* A token or a ticket that stands in JSON. */
static void
know_json(const struct blob *b)
{
	static const char *const	names[] = { "token", "ticket", "id" };
	char				text[VALUE_MAX], mark[16];
	const char			*p, *end;
	size_t				 i;

	if (b->len >= sizeof(text))
		return;
	memcpy(text, b->p, b->len);
	text[b->len] = '\0';
	for (i = 0; i < 3; i++) {
		snprintf(mark, sizeof(mark), "\"%s\":\"", names[i]);
		if ((p = strstr(text, mark)) == NULL ||
		    (end = strchr(p += strlen(mark), '"')) == NULL)
			continue;
		know(i == 2 ? "session" : names[i], p, (size_t)(end - p), 0, 0);
	}
}

static void
know_fields(uint32_t type, const uint8_t *m)
{
	const struct msg_field	*f;
	const char		*s;
	struct blob		 b;
	uint64_t		 n;

	for (f = msg_fields(type); f->name[0] != '\0'; f++) {
		if (f->kind == FIELD_STR || f->kind == FIELD_SECRET) {
			memcpy(&s, m + f->offset, sizeof(s));
			know_text(f->name, s);
		} else if (f->kind == FIELD_U64) {
			memcpy(&n, m + f->offset, sizeof(n));
			know(f->name, NULL, 0, n, 1);
		} else if (f->kind == FIELD_BLOB) {
			memcpy(&b, m + f->offset, sizeof(b));
			know(f->name, b.p, b.len, 0, 0);
			if (type == IMSG_DOC_CHUNK)
				know_json(&b);
		}
	}
}

/* The n-th of this name and kind, counted from the newest; else of any name. */
static const struct known *
recall(const char *name, int is_number, unsigned n)
{
	const struct known	*k, *found = NULL;
	unsigned		 i;

	for (i = nknown; i-- > 0;) {
		k = &known[i];
		if (k->is_number != is_number ||
		    (name != NULL && strcmp(k->name, name) != 0) ||
		    (!with_token && i < kept && strcmp(k->name, "token") == 0))
			continue;
		found = k;
		if (n-- == 0)
			break;
	}
	return (found);
}

/* --- what authd says --- */

/* Which question this answers, 0: it is no answer. */
static uint32_t
answers(uint32_t type)
{
	switch (type) {
	case IMSG_ADMITTED:
		return (IMSG_ADMIT);
	case IMSG_LOGIN_RESULT:
		return (IMSG_LOGIN);
	case IMSG_GRANTED:
		return (IMSG_GRANT);
	case IMSG_STREAM_OPENED:
	case IMSG_STREAM_REFUSED:
		return (IMSG_STREAM_OPEN);
	case IMSG_CREDIT:
		return (IMSG_CREDIT_ASK);
	case IMSG_SEATED:
		return (IMSG_SEAT);
	case IMSG_PAIR_CONSUMED:
		return (IMSG_PAIR_CONSUME);
	case IMSG_WHERE_IS:
		return (IMSG_WHERE);
	case IMSG_FORWARDED:
	case IMSG_FORWARD_FAILED:
		return (IMSG_FORWARD);
	case IMSG_PEER_HEAD_SAID:
		return (IMSG_PEER_HEAD);
	case IMSG_CTL_DONE:
		return (IMSG_CTL);
	case IMSG_API_RESULT:
	case IMSG_API_FILE:
		return (IMSG_API);
	default:
		return (0);
	}
}

static void
answered(struct far *f, uint32_t type, uint32_t id)
{
	uint32_t	want = answers(type);
	unsigned	i;

	if (want == 0)
		return;
	for (i = 0; i < ASKED; i++)
		if (f->asked[i] == id && f->types[i] != 0)
			break;
	CHECK(i < ASKED);
	/* Two more calls are answered in the form of API. */
	CHECK(f->types[i] == want || (want == IMSG_API &&
	    (f->types[i] == IMSG_RELAY || f->types[i] == IMSG_USERS_FETCH ||
	    f->types[i] == IMSG_USERS_KEPT)));
	f->types[i] = 0;
}

/* Is it one that this process may be given? */
static void
carried(const struct far *f, const struct imsg *m)
{
	switch (m->type) {
	case IMSG_STREAM_OPENED:
		CHECK(f->role == ROLE_PROXYD && with_token);
		break;
	case IMSG_STREAM_BRIDGE:
		CHECK(f->role == ROLE_MUXD && f->bound && with_token);
		break;
	case IMSG_TERM_STREAM:
		CHECK((f->role == ROLE_TERMD || f->role == ROLE_TCPD) &&
		    with_token);
		break;
	default:
		CHECK(0);
	}
}

static void
hear_one(struct far *f, const struct imsg *m)
{
	static union {
		uint8_t			 bytes[4096];
		struct msg_granted	 granted;
		struct msg_login_result	 login;
	} u;

	CHECK(msg_get(m->type, m->p, (size_t)(m->end - m->p), &u) == 0);
	if (m->fd != -1)
		carried(f, m);
	if (m->type == IMSG_GRANTED)
		CHECK(u.granted.status != 0 || with_token);
	if (m->type == IMSG_LOGIN_RESULT && u.login.status == 0)
		f->bound = 1;
	answered(f, m->type, m->id);
	if (m->id != 0 && answers(m->type) == 0)
		f->called = m->id;
	know_fields(m->type, u.bytes);
}

/* Whoever `speaks` may be ended by what he said, nobody else. */
static void
hear(struct far *f, const struct far *speaks)
{
	struct imsg	m;
	int		r;

	while (f->fd != -1 && (r = process_hear(f->fd, &m)) != 0) {
		if (r == -1) {
			CHECK(speaks == NULL || f == speaks);
			close(f->fd);
			f->fd = -1;
			break;
		}
		hear_one(f, &m);
		if (m.fd != -1)
			close(m.fd);
	}
}

static void
hear_all(const struct far *speaks)
{
	struct imsg	m;
	unsigned	i;

	process_turn(2);
	for (i = 0; i < FARS; i++)
		hear(&far[i], speaks);
	while (process_hear(process_parent(), &m) > 0)
		if (m.fd != -1)
			close(m.fd);
}

/* --- what is said --- */

static const char *
some_text(const struct msg_field *f, char *buf, size_t size)
{
	const struct known	*k;
	const uint8_t		*p;
	size_t			 len = take_byte(&t), got;

	k = len < 96 ? recall(f->name, 0, (unsigned)len % 8) :
	    len < 112 ? recall(NULL, 0, (unsigned)take_byte(&t)) : NULL;
	if (k != NULL) {
		snprintf(buf, size, "%.*s", (int)strnlen(k->text, k->len),
		    k->text);
	} else {
		p = take_bytes(&t, len < 128 ? 0 : len - 128, &got);
		snprintf(buf, size, "%.*s", (int)strnlen((const char *)p, got),
		    (const char *)p);
	}
	if (f->max > 0 && strlen(buf) >= f->max)
		buf[f->max - 1] = '\0';
	return (buf);
}

static uint64_t
some_number(const struct msg_field *f)
{
	const struct known	*k;
	uint8_t			 how = take_byte(&t);

	if (how < 128 && (k = recall(f->name, 1, how % 8)) != NULL)
		return (k->number);
	return (how < 192 ? how % 64 : how < 224 ? take_number(&t, 8) :
	    UINT64_MAX - how % 4);
}

static uint32_t
some_small(void)
{
	uint8_t	how = take_byte(&t);

	return (how < 224 ? how : (uint32_t)take_number(&t, 4));
}

static struct blob
some_bytes(const struct msg_field *f)
{
	const struct known	*k;
	struct blob		 b = { "", 0 };
	size_t			 len = take_byte(&t);

	if (len < 96 && (k = recall(f->name, 0, (unsigned)len % 8)) != NULL) {
		b.p = k->text;
		b.len = k->len;
	} else
		b.p = take_bytes(&t, len, &b.len);
	if (b.len > f->max)
		b.len = f->max;
	return (b);
}

/* Room for the texts of one message. */
#define TEXT_ROOM	1024
static char	room[MSG_LIST_MAX + 40][TEXT_ROOM];

static void
some_fields(uint32_t type, uint8_t *m)
{
	const struct msg_field	*f;
	struct msg_list		 list;
	struct blob		 b;
	const char		*s;
	uint64_t		 n64;
	uint32_t		 n, i, used = 0;

	for (f = msg_fields(type); f->name[0] != '\0'; f++) {
		switch (f->kind) {
		case FIELD_U8:
			m[f->offset] = take_byte(&t);
			break;
		case FIELD_U16:
			n = some_small() & 0xffff;
			memcpy(m + f->offset, &(uint16_t){ (uint16_t)n }, 2);
			break;
		case FIELD_U32:
			n = some_small();
			memcpy(m + f->offset, &n, 4);
			break;
		case FIELD_U64:
			n64 = some_number(f);
			memcpy(m + f->offset, &n64, 8);
			break;
		case FIELD_STR:
		case FIELD_SECRET:
			s = some_text(f, room[used++], TEXT_ROOM);
			memcpy(m + f->offset, &s, sizeof(s));
			break;
		case FIELD_BLOB:
			b = some_bytes(f);
			memcpy(m + f->offset, &b, sizeof(b));
			break;
		case FIELD_LIST:
			memset(&list, 0, sizeof(list));
			list.n = take_byte(&t) % 6;
			if (list.n > f->many)
				list.n = f->many;
			for (i = 0; i < list.n; i++)
				list.v[i] = some_text(f, room[used++],
				    TEXT_ROOM);
			memcpy(m + f->offset, &list, sizeof(list));
			break;
		}
	}
}

static uint32_t
ask_id(struct far *f, uint32_t type)
{
	unsigned	i;

	if (++f->id == 0)
		f->id = 1;
	for (i = 0; i < ASKED && f->types[i] != 0; i++)
		continue;
	if (i == ASKED)
		return (0);		/* too many wait: say it without */
	f->asked[i] = f->id;
	f->types[i] = type;
	return (f->id);
}

static void
say_some(struct far *f)
{
	static uint8_t		 m[4096];
	const struct dispatch	*d = &peer_table[take_byte(&t) % peer_rows];
	uint32_t		 id = 0;

	/* Mostly what it may say; the table is looked at with anything. */
	if (!(d->roles & ROLE_BIT(f->role)) && take_byte(&t) % 8 != 0)
		return;
	memset(m, 0, sizeof(m));
	some_fields(d->type, m);
	if (d->flags & MF_REQUEST)
		id = ask_id(f, d->type);
	else if (d->flags & MF_ANSWER)
		id = f->called;
	/*
	 * A log's text and time-outs would wait for real; too long is too long.
	 */
	(void)process_say(f->fd, d->type, id, -1, m);
	hear_all(f);
}

static void
say_raw(struct far *f)
{
	const uint8_t	*p;
	uint8_t		 buf[IMSG_HDR + 255];
	uint32_t	 head[2] = { peer_table[take_byte(&t) %
			    peer_rows].type, take_byte(&t) };
	size_t		 len;

	p = take_bytes(&t, take_byte(&t), &len);
	memcpy(buf, head, sizeof(head));
	memcpy(buf + IMSG_HDR, p, len);
	/* It may be a question, with an id that is remembered nowhere. */
	if (head[1] != 0)
		head[1] = ask_id(f, head[0]);
	memcpy(buf + 4, &head[1], 4);
	(void)imsg_send(f->fd, buf, IMSG_HDR + len, -1);
	hear_all(f);
}

static void
come(struct far *f, uint8_t role, uint8_t how)
{
	const struct known	*se = recall("session", 0, how % 4);
	const struct known	*sys = recall("system", 0, how % 4);
	const struct known	*nonce = recall("nonce", 1, how % 4);
	struct msg_spawned	 in = { .role = role, .session = "",
	    .system = "", .addr = "192.0.2.1" };
	int			 sv[2];

	if (f->fd != -1 || imsg_pair(sv) == -1)
		return;
	memset(f, 0, sizeof(*f));
	f->fd = sv[0];
	f->role = role;
	f->instance = in.instance = ++last_instance;
	know("instance", NULL, 0, in.instance, 1);
	in.nonce = nonce != NULL ? nonce->number : 0;
	/* The parent names only what authd has told it. */
	if ((how & 64) && (role == ROLE_MUXD || role == ROLE_RENDD) &&
	    se != NULL && sys != NULL && se->len < UUID_SIZE) {
		in.bound = 1;
		f->bound = role == ROLE_MUXD;
		in.session = se->text;
		in.system = sys->text;
		in.generation = how;
	}
	(void)process_say(process_parent(), IMSG_SPAWNED, 0, sv[1], &in);
	hear_all(NULL);
}

static void
goes(struct far *f)
{
	if (f->fd != -1)
		close(f->fd);
	f->fd = -1;
	hear_all(NULL);
}

/* --- before and after --- */

static void
configure(struct conf *c)
{
	strlcpy(c->store_path, ":memory:", sizeof(c->store_path));
	strlcpy(c->proxy_domain, "support.example.com",
	    sizeof(c->proxy_domain));
	c->rate_address = c->rate_slot = c->rate_key = 100000;
	c->penalty_authfail = c->penalty_noauth = c->penalty_crash = 0;
	c->keep_sessions_max = c->keep_log_max = 50;
	c->keep_audit_max = c->keep_refusals_max = 50;
}

/* Cells of CTL rows, which are what relayctl would print. */
static void
ctl_cells(struct far *f, uint32_t op, const char *const *words, uint32_t n,
    const char *const *names)
{
	struct msg_ctl		 in = { .version = CTL_VERSION,
	    .op = (uint16_t)op, .force = 1 };
	struct msg_ctl_row	 row, head;
	struct imsg		 m;
	char			*heads[CTL_CELLS_MAX] = { NULL };
	uint32_t		 i, j, rows = 0;

	in.words.n = n;
	for (i = 0; i < n; i++)
		in.words.v[i] = words[i];
	CHECK(process_say(f->fd, IMSG_CTL, 1, -1, &in) == 0);
	process_turn(4);
	while (process_hear(f->fd, &m) > 0) {
		if (get_ctl_row(&m, &row) == -1)
			continue;
		if (rows++ == 0) {
			head = row;
			for (i = 0; i < head.cells.n; i++)
				heads[i] = strdup(head.cells.v[i]);
			continue;
		}
		for (i = 0; i < row.cells.n; i++)
			for (j = 0; names[j] != NULL; j += 2)
				if (heads[i] != NULL &&
				    strcmp(heads[i], names[j]) == 0)
					know_text(names[j + 1],
					    row.cells.v[i]);
	}
	CHECK(rows > 1);
	for (i = 0; i < CTL_CELLS_MAX; i++)
		free(heads[i]);
}

static void
begin(void)
{
	static const char *const	system[] = { "Office", "" },
	    *const token[] = { "alice", "", "owner", "", "31536000" },
	    *const of_system[] = { "id", "system", "key", "key", "secret",
	    "secret", NULL }, *const of_token[] = { "token", "token", NULL };

	setenv("TZ", "UTC", 1);
	process_start(authd_main, configure);
	CHECK(process_say(process_parent(), IMSG_SPAWNED_ALL, 0, -1, NULL) ==
	    0);
	memset(far, 0xff, sizeof(far));
	process_turn(8);
	come(&far[0], ROLE_CONTROL, 0);
	ctl_cells(&far[0], CTL_SYSTEM_ADD, system, 2, of_system);
	ctl_cells(&far[0], CTL_SYSTEM_ADD, system, 2, of_system);
	ctl_cells(&far[0], CTL_TOKEN_CREATE, token, 5, of_token);
	know_text("addr", "192.0.2.1");
	know_text("service", "web");
	know_text("name", "web");
	know_text("target", "127.0.0.1:80");
	goes(&far[0]);
	kept = nknown;
	done = 1;
}

static void
end(void)
{
	struct session	*se;
	unsigned	 i;

	for (i = 0; i < FARS; i++) {
		if (far[i].fd != -1)
			close(far[i].fd);
		far[i].fd = -1;
	}
	process_turn(2);
	while ((se = TAILQ_FIRST(&sessions)) != NULL) {
		session_end(se, SESSION_CLOSED, "fuzz", 4000, now_at());
		process_turn(1);
	}
	/*
	 * Admissions, calls and what else waits are over; the store is small.
	 */
	clock_move(DAY_MS);
	hear_all(NULL);
	CHECK(TAILQ_EMPTY(&peers));
	memset(known + kept, 0, sizeof(known[0]) * (KNOWN - kept));
	nknown = kept;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t		 op;
	struct far	*f;
	unsigned	 steps;

	if (!done)
		begin();
	t.p = data;
	t.end = data + len;
	with_token = take_byte(&t) & 1;
	for (steps = 0; t.p < t.end && steps < STEPS_MAX; steps++) {
		op = take_byte(&t);
		f = &far[(op >> 4) % FARS];
		if ((op & 15) == 15) {
			clock_move(take_byte(&t) * 250U);
			hear_all(NULL);
		} else if (f->fd == -1)
			/* Who has relayctl's word makes tokens. */
			come(f, roles[(op & 15) % (with_token ? 8 : 7)],
			    take_byte(&t));
		else if ((op & 15) == 14)
			goes(f);
		else if ((op & 15) == 13)
			say_raw(f);
		else
			say_some(f);
	}
	end();
	return (0);
}
