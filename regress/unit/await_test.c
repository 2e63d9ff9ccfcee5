/* SPDX-License-Identifier: ISC */
/*
 * Who waits for a session that goes from one member to another: what rows and
 * memory say while it is in neither, for how long, and how many.
 */
#include <event2/event.h>
#include <sodium.h>

#include <string.h>

#include "authd/core/effect.h"
#include "authd/core/session.h"
#include "authd/core/web.h"
#include "authd/facts.h"
#include "authd/msg/await.h"
#include "authd/msg/moving.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/index.h"
#include "base/log.h"
#include "proc/conf.h"
#include "proc/proc.h"
#include "regress/lib/tap.h"

#define ID	"00000000-0000-0000-0000-000000000001"
#define GRACE_S	60

/* The members: a is us. */
static struct {
	int	draining, somebody;
} members;
static const struct member_row	b = { .name = "b" };
static struct conf		conf = { .grace = GRACE_S };
const struct stream_kind	stream_web;

const struct conf *
proc_conf(void)
{
	return (&conf);
}

int
member_is_one(void)
{
	return (1);
}

int
member_is_draining(void)
{
	return (members.draining);
}

int
member_somebody_drains(void)
{
	return (members.somebody);
}

const struct member_row *
member_other(void)
{
	return (&b);
}

int64_t
member_now(void)
{
	return ((int64_t)clock_ms() + 1000000);
}

/* The row's member as a word of its own; "-": the store cannot say. */
enum holder_at
holder_of(const struct facts *f, const struct member_row **m)
{
	*m = strcmp(f->session.member, "b") == 0 ? &b : NULL;
	return (f->got_session == -1 ? HOLDER_DOWN : *m != NULL ?
	    HOLDER_THERE : strcmp(f->session.member, "a") == 0 ? HOLDER_HERE :
	    HOLDER_NOBODY);
}

/* Memory. */
static struct session	in_memory;
static int		is_in_memory;
static struct effect	effects[8];
static unsigned		neffects;

struct session *
session_find(const char *id)
{
	(void)id;
	return (is_in_memory ? &in_memory : NULL);
}

struct effect *
effect_add(enum effect_kind kind)
{
	struct effect	*e = &effects[neffects++ % 8];

	memset(e, 0, sizeof(*e));
	e->kind = kind;
	return (e);
}

/* The store keeps what it is asked. */
static struct {
	facts_then	 then;
	void		*arg;
	uint64_t	 asker;
} question;
static unsigned		questions;

/* Of other sessions. */
static struct {
	facts_then	 then;
	void		*arg;
} others[16];
static unsigned		nothers;

struct facts_call *
facts_ask(unsigned needs, const struct facts_keys *k, facts_then then,
    void *arg)
{
	if (strcmp(k->session, ID) != 0) {
		others[nothers % 16].then = then;
		others[nothers++ % 16].arg = arg;
		return ((struct facts_call *)(void *)&others);
	}
	ok(needs == NEED_SESSION && strcmp(k->session, ID) == 0 &&
	    question.then == NULL, "a question for it, the only one");
	question.then = then;
	question.arg = arg;
	question.asker = k->asker;
	questions++;
	return ((struct facts_call *)(void *)&question);
}

static void
row_says(const char *member, int64_t left_ms)
{
	struct facts	f = { .got_session = member[0] == '-' ? -1 : 0 };
	facts_then	then = question.then;

	ok(then != NULL, "it is asked");
	if (then == NULL)
		return;
	strlcpy(f.session.member, member, sizeof(f.session.member));
	if (member[0] == '\0')
		f.session.grace_at = member_now() - left_ms + GRACE_S * 1000;
	question.then = NULL;
	then(&f, question.arg);
}

/* Who asks. */
static struct {
	unsigned	 n, at[HOLDER_DOWN + 1];
	char		 member[MEMBER_SIZE];
} told;

static void
tell(enum holder_at at, const struct member_row *m, void *arg)
{
	(void)arg;
	told.n++;
	told.at[at]++;
	strlcpy(told.member, m != NULL ? m->name : "", sizeof(told.member));
}

static void
begin(int draining, int somebody)
{
	memset(&told, 0, sizeof(told));
	memset(&in_memory, 0, sizeof(in_memory));
	memset(&question, 0, sizeof(question));
	is_in_memory = 0;
	neffects = questions = 0;
	members.draining = draining;
	members.somebody = somebody;
}

static void
wants(uint64_t asker)
{
	await_where(ID, asker, tell, NULL);
}

static struct event_base	*base;

static void
pass(uint64_t ms)
{
	clock_move(ms);
	event_base_loop(base, EVLOOP_NONBLOCK);
}

static void
nobody_drains(void)
{
	begin(0, 0);
	is_in_memory = 1;
	wants(1);
	is_int(told.at[HOLDER_HERE], 1, "it is in memory: here");
	is_in_memory = 0;
	wants(1);
	row_says("b", 0);
	is_str(told.member, "b", "b has it");
	wants(1);
	row_says("", 100);
	is_int(told.at[HOLDER_NOBODY], 1, "nobody, who does not wait for it");
	wants(1);
	row_says("a", 0);
	is_int(told.at[HOLDER_HERE], 2, "its row says here");
	is_int(questions, 3, "each is a question");
}

/* It is out of memory before its row is written. */
static void
row_is_late(void)
{
	begin(1, 1);
	wants(1);
	row_says("a", 0);
	is_int(told.n, 0, "the row of one that was given away says that we "
	    "have it: its commit is waited for");
	pass(AWAIT_ASK_MS + 1);
	row_says("", 300);
	is_int(told.n, 0, "nobody has it yet");
	pass(AWAIT_ASK_MS + 1);
	row_says("b", 0);
	ok(told.n == 1 && strcmp(told.member, "b") == 0, "b has it");
}

/* It comes while the store is asked about it. */
static void
comes_meanwhile(void)
{
	struct tunnel	t = { .state = TUNNEL_UP };

	begin(0, 1);
	wants(1);
	is_in_memory = 1;
	in_memory.tunnel = &t;
	moving_comes(&in_memory);
	ok(neffects == 1 && effects[0].kind == EFFECT_IDLE_DROP &&
	    effects[0].code == 1, "proxyds are told that it moves");
	row_says("b", 0);
	is_int(told.n, 0, "its client has come since, and has not said what "
	    "it offers");
	in_memory.services = (struct services *)(void *)&t;
	pass(51);
	is_int(told.at[HOLDER_HERE], 1, "it has");
	in_memory.services = NULL;
	wants(1);
	wants(1);
	is_int(told.n, 1, "one that never does is waited for");
	pass(MOVING_COME_MS + 1);
	is_int(told.at[HOLDER_HERE], 3, "until then");
	wants(1);
	is_int(told.at[HOLDER_HERE], 4, "and no more, though others drain");
}

/* A client that has been away for long is not one that moves. */
static void
away(void)
{
	begin(0, 1);
	wants(1);
	row_says("", AWAIT_MS);
	is_int(told.at[HOLDER_NOBODY], 1, "one that left long ago is not "
	    "waited for, though somebody drains");
	wants(1);
	row_says("", AWAIT_MS - 1000);
	is_int(told.n, 1, "one that has just left is");
	pass(999);
	row_says("", AWAIT_MS - 500);
	is_int(told.n, 1, "as long as a client needs");
	pass(AWAIT_ASK_MS + 1);
	row_says("", AWAIT_MS + AWAIT_ASK_MS);
	is_int(told.at[HOLDER_NOBODY], 2, "from when it left");
}

static void
one_question(void)
{
	begin(0, 1);
	wants(1);
	wants(2);
	wants(1);
	is_int(questions, 1, "three who wait are one question");
	row_says("", 0);
	wants(2);
	is_int(questions, 1, "and who comes just behind the answer waits for "
	    "the next");
	pass(AWAIT_ASK_MS - 100);
	is_int(questions, 1, "which is not asked before its time");
	pass(151);
	is_int(questions, 2, "and then once");
	row_says("-", 0);
	is_int(told.at[HOLDER_DOWN], 2, "where the store cannot say, or not "
	    "to the one, he is told");
	pass(51);
	is_int((long)question.asker, 2, "for the other it is asked again");
	row_says("b", 0);
	is_int(told.at[HOLDER_THERE], 2, "who hears it");
}

/* The hold does not eat up the client's time. */
static void
held(void)
{
	struct tunnel	t = { .state = TUNNEL_UP };

	begin(1, 1);
	TAILQ_INIT(&t.streams);
	is_in_memory = 1;
	in_memory.tunnel = &t;
	is_int(moving_hold(&in_memory), 1, "it is held");
	wants(1);
	pass(MOVING_HOLD_MS - 100);
	is_int(told.n, 0, "who asks waits");
	is_in_memory = 0;
	pass(51);
	row_says("a", 0);
	pass(AWAIT_MS - 1000);
	row_says("", AWAIT_MS - 1000);
	is_int(told.n, 0, "its client has all of its time behind that");
	pass(AWAIT_ASK_MS + 1);
	row_says("b", 0);
	is_str(told.member, "b", "it has come");
	begin(1, 1);
	is_in_memory = 1;
	in_memory.tunnel = &t;
	(void)moving_hold(&in_memory);
	wants(1);
	pass(MOVING_HOLD_MS + 1);
	is_int(told.at[HOLDER_HERE], 1, "what does not leave in that time is "
	    "here");
}

/* So many of one proxyd's for the n-th session. */
static void
crowd(unsigned session, uint64_t asker, unsigned n)
{
	char	id[UUID_SIZE];

	snprintf(id, sizeof(id), "00000000-0000-0000-0000-%012u", session);
	while (n-- > 0)
		await_where(id, asker, tell, NULL);
}

static void
shares(void)
{
	struct facts	f = { .got_session = 0 };
	unsigned	i;

	begin(0, 1);
	crowd(1, 1, AWAIT_SESSION);
	is_int(told.n, 0, "as many as may wait for one session");
	crowd(1, 1, 1);
	is_int(told.at[HOLDER_DOWN], 1, "one more is told that nobody knows");
	crowd(1, 2, 1);
	is_int(told.at[HOLDER_DOWN], 2, "another proxyd's, too");
	for (i = 2; i <= AWAIT_ONE / AWAIT_SESSION; i++)
		crowd(i, 1, AWAIT_SESSION);
	is_int(told.n, 2, "as many of one proxyd as may wait");
	crowd(i, 1, 1);
	is_int(told.at[HOLDER_DOWN], 3, "and not one more");
	for (; i <= AWAIT_MAX / AWAIT_SESSION; i++)
		crowd(i, 2, AWAIT_SESSION);
	is_int(told.n, 3, "another proxyd's wait, up to the end of all");
	crowd(i, 3, 1);
	is_int(told.at[HOLDER_DOWN], 4, "a third one's does not");
	is_int(questions + nothers, AWAIT_MAX / AWAIT_SESSION,
	    "and all that is one question for each session");
	row_says("b", 0);
	strlcpy(f.session.member, "b", sizeof(f.session.member));
	for (i = 0; i < nothers; i++)
		others[i].then(&f, others[i].arg);
	is_int(told.at[HOLDER_THERE], AWAIT_MAX, "all are told");
	wants(1);
	is_int(questions, 2, "and have given back their places");
	row_says("b", 0);
}

int
main(void)
{
	base = event_base_new();
	if (base == NULL || sodium_init() == -1)
		return (1);
	log_init("await_test", -1, 0);
	index_init();
	clock_init(base);
	await_init();
	nobody_drains();
	row_is_late();
	comes_meanwhile();
	away();
	one_question();
	held();
	shares();
	clock_clear();
	event_base_free(base);
	return (done_testing());
}
