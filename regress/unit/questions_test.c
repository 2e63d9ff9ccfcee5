/* SPDX-License-Identifier: ISC */
/* Questions to a store that answers when it likes, or never. */
#include <event2/event.h>
#include <sodium.h>

#include "authd/facts.h"
#include "authd/store/back.h"
#include "base/clock.h"
#include "base/index.h"
#include "base/log.h"
#include "regress/lib/tap.h"

#define MANY	2048

/* The back end: it keeps what it is asked. */
struct back_call {
	store_then	 then;
	void		*arg;
};
static struct back_call	kept[MANY];
static unsigned		nkept, cancelled;
static int		at_once;

static struct {
	unsigned	 n, failed;
	struct facts	 facts;
} told;

struct back_call *
back_ask(const struct question *q, store_then then, void *arg)
{
	static const struct answer	none = { .r = STORE_NONE };
	struct back_call		*c = &kept[nkept];

	(void)q;
	if (at_once || nkept == MANY) {
		then(&none, arg);
		return (NULL);
	}
	nkept++;
	c->then = then;
	c->arg = arg;
	return (c);
}

void
back_cancel(struct back_call *c)
{
	c->then = NULL;
	cancelled++;
}

static void
answer_all(int r)
{
	struct answer	a = { .r = r };
	unsigned	i, n = nkept;

	for (i = 0; i < n; i++)
		if (kept[i].then != NULL)
			kept[i].then(&a, kept[i].arg);
	for (i = n; i < nkept; i++)
		kept[i - n] = kept[i];
	nkept -= n;
}

static void
then(const struct answer *a, void *arg)
{
	(void)arg;
	told.n++;
	told.failed += a->r == -1;
}

static void
known(const struct facts *f, void *arg)
{
	(void)arg;
	told.n++;
	told.facts = *f;
}

static struct store_call *
ask(uint64_t asker)
{
	struct question	q = { .what = ASK_SESSION, .key = "x",
	    .asker = asker };

	return (store_ask(&q, then, NULL));
}

static void
begin(void)
{
	memset(&told, 0, sizeof(told));
	nkept = cancelled = 0;
}

static void
once(void)
{
	struct store_call	*c;

	begin();
	at_once = 1;
	ok(ask(1) == NULL && told.n == 1, "an answer in the same call");
	at_once = 0;
	is_int(store_waiting(), 0, "nobody waits");
	c = ask(1);
	ok(c != NULL && told.n == 1 && store_waiting() == 1, "one that waits");
	answer_all(0);
	ok(told.n == 2 && told.failed == 0 && store_waiting() == 0,
	    "and is answered later");
	c = ask(1);
	store_cancel(c);
	ok(told.n == 2 && store_waiting() == 0 && cancelled == 1,
	    "who has gone is not told");
}

static void
caps(void)
{
	unsigned	i;

	begin();
	for (i = 0; i < 1024; i++)
		(void)ask(7);
	ok(told.n == 0 && store_waiting() == 1024, "1024 of one asker wait");
	ok(ask(7) == NULL && told.n == 1 && told.failed == 1 &&
	    cancelled == 1, "one more is told at once that nobody knows");
	ok(ask(8) != NULL && told.n == 1, "another asker's waits");
	answer_all(STORE_NONE);
	ok(told.n == 1026 && told.failed == 1, "those who wait are answered");
	is_int(store_waiting(), 0, "and nobody waits");
}

#ifdef RELAYD_TESTING
static void
pass(struct event_base *base, uint64_t ms)
{
	clock_move(ms);
	event_base_loop(base, EVLOOP_NONBLOCK);
}

static void
deadlines(struct event_base *base)
{
	struct question		q = { .what = ASK_SESSION, .key = "x" };
	struct facts_keys	k = { .session = "x", .org_id = "o" };

	begin();
	(void)ask(1);
	q.until_ms = clock_ms() + 100;
	(void)store_ask(&q, then, NULL);
	pass(base, 101);
	ok(told.n == 1 && told.failed == 1 && cancelled == 1,
	    "a question's own deadline");
	pass(base, 4900);
	ok(told.n == 2 && told.failed == 2 && store_waiting() == 0,
	    "and everybody's, 5 s");

	begin();
	(void)facts_ask(NEED_SESSION | NEED_ORG, &k, known, NULL);
	pass(base, 1400);
	answer_all(STORE_NONE);
	ok(told.n == 0 && nkept == 1, "the first fact in time");
	pass(base, 101);
	ok(told.n == 1 && told.facts.got_session == STORE_NONE &&
	    told.facts.got_org == -1,
	    "all facts together have a second and a half");
	begin();
	facts_cancel(facts_ask(NEED_SESSION, &k, known, NULL));
	pass(base, 10000);
	ok(told.n == 0 && store_waiting() == 0,
	    "facts of one who has gone are not told");
}
#endif

int
main(void)
{
	struct event_base	*base = event_base_new();

	if (base == NULL || sodium_init() == -1)
		return (1);
	log_init("questions_test", -1, 0);
	index_init();
	clock_init(base);
	once();
	caps();
#ifdef RELAYD_TESTING
	deadlines(base);
#endif
	clock_clear();
	event_base_free(base);
	return (done_testing());
}
