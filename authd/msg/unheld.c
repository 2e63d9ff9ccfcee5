/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "authd/turn.h"
#include "base/compat.h"
#include "follow.h"
#include "member.h"
#include "unheld.h"

struct closing {
	char	  session[UUID_SIZE];
	void	(*then)(void *, enum unheld);
	void	 *arg;
};

static void
end(struct closing *cl, enum unheld how)
{
	cl->then(cl->arg, how);
	free(cl);
}

/* Whoever came in between has it: the store refused the end of another's. */
static void
looked(const struct answer *a, void *arg)
{
	if (a->r == -1)
		end(arg, UNHELD_STORE);
	else
		end(arg, a->r == 0 && a->n == 1 &&
		    a->session[0].status <= SESSION_ACTIVE ? UNHELD_HELD :
		    UNHELD_OVER);
}

static void
committed(void *arg, int ok)
{
	struct closing	*cl = arg;

	if (ok)
		(void)store_ask(&(struct question){ .what = ASK_SESSION,
		    .key = cl->session }, looked, cl);
	else
		end(cl, UNHELD_STORE);
}

int
unheld_is(const struct session_row *row)
{
	return (row->member[0] == '\0' ||
	    strcmp(row->member, member_self()) == 0);
}

int
unheld_close(const struct session_row *row, int64_t now,
    void (*then)(void *, enum unheld), void *arg)
{
	struct session_row	 over = *row;
	struct closing		*cl;

	if ((cl = calloc(1, sizeof(*cl))) == NULL)
		return (-1);
	strlcpy(cl->session, row->id, sizeof(cl->session));
	cl->then = then;
	cl->arg = arg;
	over.status = SESSION_CLOSED;
	strlcpy(over.closed_by, "operator", sizeof(over.closed_by));
	over.closed_at = over.updated_at = now;
	if (store_session_update(&over) == 0)
		follow_session_row(&over);
	turn_after(committed, cl);
	return (0);
}
