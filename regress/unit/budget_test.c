/* SPDX-License-Identifier: ISC */
/* Nobody takes it all: shares of holders and their groups. */
#include <sodium.h>

#include "authd/core/budget.h"
#include "regress/lib/tap.h"

#define MANY	64

static struct budget	b = { .total = 100, .one = 30, .few = 40 };

static void
shares(void)
{
	struct claim	c[4] = { { .n = 0 } };

	is_int(budget_take(&b, &c[0], "a", "org", 30), 0, "a share");
	is_int(budget_take(&b, &c[0], "a", "org", 1), -1, "no more for it");
	is_int(budget_take(&b, &c[1], "a", "org", 1), -1,
	    "nor for another object of the same holder");
	ok(c[1].one == NULL && c[1].n == 0, "which has nothing");
	is_int(budget_take(&b, &c[1], "b", "org", 30), 0,
	    "another holder of the group, while there is plenty");
	is_int(budget_take(&b, &c[2], "c", "org", 15), 0, "and one more");
	is_int(budget_take(&b, &c[3], "d", "org", 1), -1,
	    "little is left: not for a group that has its share");
	is_int(budget_take(&b, &c[3], "e", "", 25), 0, "but for others");
	is_int(b.used, 100, "all is used");
	budget_give(&b, &c[0], 10);
	is_int(budget_of(&b, "a"), 20, "what is given back is counted");
	budget_give(&b, &c[0], 100);
	is_int(c[0].n, 0, "no more than there was");
	is_int(budget_take(&b, &c[0], "f", NULL, 30), 0, "and free again");
	budget_leave(&b, &c[0]);
	budget_leave(&b, &c[1]);
	budget_leave(&b, &c[2]);
	budget_leave(&b, &c[3]);
	ok(b.used == 0 && b.shares.count == 0, "nothing is left");
	is_int(budget_take(&b, &c[0], "a", "", UINT64_MAX), -1,
	    "no sum overflows");
	is_int(budget_take_some(&b, &c[0], "a", "org", 1000), 30,
	    "as much as there is: a holder's share");
	is_int(budget_take_some(&b, &c[1], "b", "org", 1000), 30, "and again");
	is_int(budget_take_some(&b, &c[2], "c", "org", 1000), 15,
	    "as long as there is plenty");
	is_int(budget_take_some(&b, &c[3], "d", "org", 1000), 0, "then none");
	is_int(budget_take_some(&b, &c[3], "d", "other", 1000), 25,
	    "but others");
	budget_leave(&b, &c[0]);
	budget_leave(&b, &c[1]);
	budget_leave(&b, &c[2]);
	budget_leave(&b, &c[3]);
}

/* What holds after any number of steps. */
static void
model(void)
{
	static struct claim	c[MANY];
	char			who[8], org[8];
	uint64_t		sum;
	unsigned		i, n, step;
	int			good = 1;

	for (step = 0; step < 200000 && good; step++) {
		i = randombytes_uniform(MANY);
		n = randombytes_uniform(20);
		snprintf(who, sizeof(who), "w%u", i % 16);
		snprintf(org, sizeof(org), "o%u", i % 4);
		if (randombytes_uniform(3) != 0)
			(void)budget_take(&b, &c[i], who,
			    i % 4 == 0 ? NULL : org, n);
		else
			budget_give(&b, &c[i], n);
		for (sum = 0, i = 0; i < MANY; i++) {
			sum += c[i].n;
			good &= (c[i].n > 0) == (c[i].one != NULL);
		}
		good &= sum == b.used && b.used <= b.total &&
		    budget_of(&b, who) <= b.one;
	}
	ok(good, "200,000 steps: sums and shares hold");
	for (i = 0; i < MANY; i++)
		budget_leave(&b, &c[i]);
	ok(b.used == 0 && b.shares.count == 0, "and nothing is left");
}

int
main(void)
{
	if (sodium_init() == -1)
		return (1);
	index_init();
	shares();
	model();
	return (done_testing());
}
