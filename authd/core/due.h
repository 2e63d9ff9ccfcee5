/* SPDX-License-Identifier: ISC */
#ifndef DUE_H
#define DUE_H

#include <stdint.h>

/*
 * What will be due when: a heap of deadlines that lie in their owners and need
 * no memory of their own. core_due() calls the verbs; one timer outside waits
 * for the first.
 */
enum due_kind { DUE_SESSION_EXPIRY, DUE_SESSION_GRACE, DUE_SESSION_PUSH,
    DUE_SESSION_RETRY, DUE_SESSION_LATER, DUE_GRANT_EXPIRY, DUE_GRANT_WAIT,
    DUE_STREAM, DUE_ROW_SWEEP, DUE_ROW_FLUSH };

struct due {
	uint64_t	 at;		/* of now.ms */
	enum due_kind	 kind;
	int		 is_set;
	struct due	*child, *next;
	struct due	*prev;		/* sibling, or parent of the first */
};

void	due_init(struct due *, enum due_kind);
/* A set one is moved. */
void	due_set(struct due *, uint64_t at);
/* Harmless when not set; must be called before the owner is freed. */
void	due_del(struct due *);
/* The next one, NULL: none. */
struct due	*due_first(void);

#endif
