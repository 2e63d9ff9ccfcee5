/* SPDX-License-Identifier: ISC */
/*
 * Questions that the store does not answer at once: each has a deadline, and
 * each asker may have so many. Who waited in vain, or may not wait, is told
 * that the store cannot say.
 */
#include <stdio.h>
#include <stdlib.h>

#include "authd/core/budget.h"
#include "back.h"
#include "base/clock.h"
#include "base/log.h"

#define WAIT_MS		5000	/* unless the question says when */
#define WAITING_MAX	1024	/* of one asker: a process, or we */
#define NOTE_MS		10000	/* between two lines about it */

struct store_call {
	struct back_call	*back;
	struct timer		 deadline;
	struct claim		 place;
	store_then		 then;
	void			*arg;
	int			*answered;	/* while store_ask() runs */
};

static struct {
	struct budget	waiting;
	uint64_t	noted_ms;
	unsigned long	given_up;	/* since then */
} asks = { .waiting = { .total = UINT64_MAX, .one = WAITING_MAX,
    .few = UINT64_MAX } };

unsigned
store_waiting(void)
{
	return ((unsigned)asks.waiting.used);
}

static void
call_end(struct store_call *c, const struct answer *a)
{
	store_then	 then = c->then;
	void		*arg = c->arg;

	if (c->answered != NULL)
		*c->answered = 1;
	timer_del(&c->deadline);
	budget_leave(&asks.waiting, &c->place);
	free(c);
	then(a, arg);
}

static void
call_answer(const struct answer *a, void *arg)
{
	call_end(arg, a);
}

static void
note(const char *what)
{
	uint64_t	now = clock_ms();

	asks.given_up++;
	if (asks.noted_ms != 0 && now - asks.noted_ms < NOTE_MS)
		return;
	log_warnx("store: slow: %lu questions were given up, the last: %s",
	    asks.given_up, what);
	asks.noted_ms = now;
	asks.given_up = 0;
}

static void
call_give_up(struct store_call *c, const char *why)
{
	static const struct answer	none = { .r = -1 };

	note(why);
	back_cancel(c->back);
	call_end(c, &none);
}

static void
call_late(void *arg)
{
	call_give_up(arg, "no answer in time");
}

static void
call_wait(struct store_call *c, const struct question *q)
{
	uint64_t	now = clock_ms();
	char		asker[24];

	snprintf(asker, sizeof(asker), "%llu", (unsigned long long)q->asker);
	if (budget_take(&asks.waiting, &c->place, asker, NULL, 1) == -1)
		call_give_up(c, "too many wait");
	else
		timer_set(&c->deadline, q->until_ms == 0 ? WAIT_MS :
		    q->until_ms > now ? q->until_ms - now : 0);
}

struct store_call *
store_ask(const struct question *q, store_then then, void *arg)
{
	static const struct answer	 none = { .r = -1 };
	struct store_call		*c;
	struct back_call		*back;
	int				 answered = 0;

	if ((c = calloc(1, sizeof(*c))) == NULL) {
		then(&none, arg);
		return (NULL);
	}
	timer_init(&c->deadline, call_late, c);
	c->then = then;
	c->arg = arg;
	c->answered = &answered;
	back = back_ask(q, call_answer, c);
	if (answered)
		return (NULL);
	c->back = back;
	call_wait(c, q);
	if (answered)
		return (NULL);
	c->answered = NULL;
	return (c);
}

void
store_cancel(struct store_call *c)
{
	if (c == NULL)
		return;
	back_cancel(c->back);
	timer_del(&c->deadline);
	budget_leave(&asks.waiting, &c->place);
	free(c);
}
