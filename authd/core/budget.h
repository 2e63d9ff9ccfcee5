/* SPDX-License-Identifier: ISC */
#ifndef BUDGET_H
#define BUDGET_H

#include <stdint.h>

#include "base/index.h"

/*
 * Something of which there is so much, and many who want it: one holder (a
 * system, an operator, a process) never gets more than `one`, and when less
 * than a quarter is left, a group of holders (an organization) gets no more
 * than `few`. So whoever takes all that there is takes it from himself. Pure.
 */
struct share;

struct budget {
	uint64_t	total, one, few;	/* may change at any time */
	uint64_t	used;
	struct index	shares;			/* of those who have some */
};

/* What one object has of a budget; lies in the object, zeroed before. */
struct claim {
	struct share	*one, *group;
	uint64_t	 n;
};

/*
 * Take `n` more for an object of `holder`, who belongs to `group` (NULL or "":
 * to nobody, and is a group of its own). 0, or -1: a limit, or no memory. An
 * object keeps holder and group as long as it has something.
 */
int		budget_take(struct budget *, struct claim *, const char *holder,
		    const char *group, uint64_t n);
/* As much of `n` as there is for it: how much that was. */
uint64_t	budget_take_some(struct budget *, struct claim *,
		    const char *holder, const char *group, uint64_t n);
/* Give `n` of it back, no more than it has. */
void		budget_give(struct budget *, struct claim *, uint64_t n);
/* All of it. */
void		budget_leave(struct budget *, struct claim *);
/* What a holder has. */
uint64_t	budget_of(const struct budget *, const char *holder);

#endif
