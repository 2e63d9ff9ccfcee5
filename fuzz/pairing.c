/* SPDX-License-Identifier: ISC */
/*
 * Pairing with any devices: they come, say any message of the protocol with
 * codes, tokens and members of the input's choice, or any bytes, leave and are
 * silent, while time passes and the store answers when it likes.
 *
 * Besides what the sanitizers see: all tables agree after each step; what is
 * sent is JSON, to who is still there, data to the counterpart alone; a token
 * is brought to a watcher once; and at the end nothing is left.
 */
#include <sodium.h>

#include <stdio.h>

#include "paird/pair_int.h"
#include "regress/lib/pairsound.h"
#include "fuzz.h"

#define CHECK(cond)	do { if (!(cond)) abort(); } while (0)
#define DEVS		10
#define JTIS		4
#define ASKS		64
#define STEPS_MAX	128

static struct dev {
	struct client	*client;
	int		 closed;	/* nothing more may be said to it */
} devs[DEVS];

static struct ask_said {
	uint64_t	 id;
	uint8_t		 hash[PAIR_HASH];
	int		 take;
} asks[ASKS];
static unsigned		 nasks;
static uint8_t		 used[JTIS][PAIR_HASH];	/* what the store has */
static unsigned		 nused, brought[JTIS];
static uint64_t		 now;
static struct dev	*speaks;		/* whose message is at work */
static const uint8_t	*p, *end;

static uint8_t
byte(void)
{
	return (p < end ? *p++ : 0);
}

static void
send_to(void *io, const char *text, size_t len)
{
	struct json_value	 whole;
	struct json_member	 m[2] = { { .name = "type" },
				    { .name = "jti" } };
	struct dev		*d = io;

	CHECK(d->client != NULL && !d->closed);
	CHECK(json_read(text, len, &whole, m, 2) == 0 &&
	    whole.kind == JSON_OBJECT && m[0].value.kind == JSON_STRING);
	if (m[0].value.len == 6 && memcmp(m[0].value.s, "\"data\"", 6) == 0)
		CHECK(speaks != NULL &&
		    pairs_counterpart(speaks->client) == io);
	/* Whom init is for is found by its jti, "j0" to "j3". */
	if (m[0].value.len == 16 &&
	    memcmp(m[0].value.s, "\"bootstrap_init\"", 16) == 0 &&
	    m[1].value.len == 4 && m[1].value.s[1] == 'j' &&
	    m[1].value.s[2] >= '0' && m[1].value.s[2] < '0' + JTIS)
		CHECK(++brought[m[1].value.s[2] - '0'] == 1);
}

static void
close_it(void *io, uint16_t code, const char *reason)
{
	struct dev	*d = io;

	CHECK(!d->closed && code >= 1000 && strlen(reason) < 124);
	d->closed = 1;
}

static void
drop_it(void *io)
{
	CHECK(!((struct dev *)io)->closed);
	((struct dev *)io)->closed = 1;
}

static void
ping_it(void *io)
{
	CHECK(!((struct dev *)io)->closed);
}

static int
is_held(void *io)
{
	return (io == &devs[DEVS - 1]);
}

static int
ask_it(uint64_t id, const uint8_t hash[PAIR_HASH], int take)
{
	if (nasks == ASKS)
		return (-1);
	asks[nasks].id = id;
	memcpy(asks[nasks].hash, hash, PAIR_HASH);
	asks[nasks++].take = take;
	return (0);
}

static const struct pair_ops	ops = { send_to, close_it, drop_it, ping_it,
	is_held, ask_it };

/* The store: one answer of those that wait, true, or that there is no room. */
static void
store_answers(unsigned i, int full)
{
	struct ask_said	a = asks[i];
	enum pair_known	known = PAIR_NEW;
	unsigned	k;

	asks[i] = asks[--nasks];
	for (k = 0; k < nused; k++)
		if (memcmp(used[k], a.hash, PAIR_HASH) == 0)
			known = PAIR_USED;
	if (full || (known == PAIR_NEW && a.take && nused == JTIS))
		known = PAIR_FULL;
	if (known == PAIR_NEW && a.take)
		memcpy(used[nused++], a.hash, PAIR_HASH);
	pairs_known(a.id, known, now);
}

/* A member with one of a few values, or with what the input has. */
static int
member(char *dst, size_t size, const char *name, uint8_t how)
{
	size_t	n = 0, i, want = how % 16;
	char	raw[64];

	if (how < 64)
		return (snprintf(dst, size, ",\"%s\":\"j%u\"", name,
		    how % (unsigned)JTIS));
	if (how < 96)
		return (snprintf(dst, size, ",\"%s\":\"00000%u\"", name,
		    how % 8U));
	if (how < 112)
		return (0);
	for (i = 0; i < want && p < end; i++)
		if (*p >= ' ' && *p < 0x7f)
			raw[n++] = (char)byte();
		else
			p++;
	raw[n] = '\0';
	return (snprintf(dst, size, how < 192 ? ",\"%s\":%s" : ",\"%s\":\"%s\"",
	    name, raw));
}

static void
say(struct dev *d, uint8_t what)
{
	static const char *const	types[] = { "listen", "connect",
	    "data", "done", "bootstrap_watch", "bootstrap_init",
	    "bootstrap_ack", "bootstrap_reject" };
	static const char *const	names[] = { "otc", "payload", "jti",
	    "token", "targetPubKey", "publicKey", "controllerPubKey",
	    "controllerSig", "error", "tokenHash" };
	/* Which of these a message has, beside one of the input's choice. */
	static const uint8_t		has[8][4] = { { 0, 99 }, { 0, 99 },
	    { 1, 99 }, { 99 }, { 2, 99 }, { 2, 3, 4, 99 }, { 2, 5, 7, 99 },
	    { 2, 8, 99 } };
	char				text[1024];
	size_t				len;
	unsigned			i;

	speaks = d;
	if (what % 9 == 8) {		/* as it is */
		len = byte();
		if (len > (size_t)(end - p))
			len = (size_t)(end - p);
		pairs_message(d->client, (const char *)p, len, now);
		p += len;
	} else {
		len = (size_t)snprintf(text, sizeof(text), "{\"type\":\"%s\"",
		    types[what % 9]);
		for (i = 0; i < 4 && has[what % 9][i] != 99; i++)
			len += (size_t)member(text + len, sizeof(text) - len,
			    names[has[what % 9][i]], byte());
		if (what & 64)
			len += (size_t)member(text + len, sizeof(text) - len,
			    names[byte() % 10], byte());
		text[len++] = '}';
		pairs_message(d->client, text, len, now);
	}
	speaks = NULL;
}

static void
come(struct dev *d, uint8_t where)
{
	struct addr	a;
	char		text[32];

	snprintf(text, sizeof(text), where & 64 ? "2001:db8:0:%u::1" :
	    "192.0.2.%u", where % 4);
	CHECK(addr_parse(&a, text, strlen(text)) == 0);
	d->closed = 0;
	d->client = pairs_open(now, d, &a);
}

static void
goes(struct dev *d)
{
	struct client	*c = d->client;

	pairs_leave(c, now);
	d->client = NULL;
	pairs_gone(c, now);
}

static void
check_all(void)
{
	struct client	*c[DEVS];
	unsigned	 i;

	for (i = 0; i < DEVS; i++)
		c[i] = devs[i].client;
	CHECK(pair_is_sound(c, DEVS, nasks));
	CHECK(pairs_due() > now);
}

static void
step(void)
{
	uint8_t		 op = byte();
	struct dev	*d = &devs[(op >> 3) % DEVS];

	if ((op & 7) == 7) {
		now += byte() * (op & 8 ? 1000U : 10U);
	} else if ((op & 7) == 6) {
		if (nasks > 0)
			store_answers(byte() % nasks, (op & 8) != 0);
	} else if (d->client == NULL)
		come(d, byte());
	else if ((op & 7) == 5)
		goes(d);
	else if ((op & 7) == 4)
		pairs_control(d->client, now);
	else
		say(d, byte());
	pairs_tick(now);
	check_all();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static int	begun;
	unsigned	i;

	if (!begun) {
		if (sodium_init() == -1)
			abort();
		index_init();
		begun = 1;
	}
	memset(devs, 0, sizeof(devs));
	memset(brought, 0, sizeof(brought));
	nasks = nused = 0;
	now = 1000;
	p = data;
	end = data + len;
	pairs_init(&ops);
	pairs_configure(&(struct pair_limits){ .max_clients = DEVS - 2,
	    .max_sessions = 3, .paired_ms = 180000,
	    .token_check = byte() & 1 });
	for (i = 0; i < STEPS_MAX && p < end; i++)
		step();
	for (i = 0; i < DEVS; i++)
		if (devs[i].client != NULL)
			goes(&devs[i]);
	while (nasks > 0)
		store_answers(0, 0);
	CHECK(pairs_count()->clients == 0 && pairs_count()->sessions == 0 &&
	    pairs_count()->watches == 0 && pairs_due() == UINT64_MAX &&
	    pair.by_ask.count == 0);
	pairs_clear();
	return (0);
}
