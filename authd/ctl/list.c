/* SPDX-License-Identifier: ISC */
/* Lists: a page of the store's, the rows of it, the next page. */
#include <stdlib.h>
#include <string.h>

#include "authd/turn.h"
#include "base/clock.h"
#include "base/compat.h"
#include "ctl.h"

struct listing {
	enum store_what	 what;
	size_t		 size;		/* of a row, which begins with its id */
	void		(*row)(void *, const void *);
	void		(*end)(void *, int);
	void		*arg;
	char		 after[ID_SIZE];
	int		 asking, answered, done;
};

static void	list_on(struct listing *);

static void
list_page(const struct answer *a, void *arg)
{
	struct listing	*li = arg;
	const char	*row = a->any;
	size_t		 i;

	for (i = 0; i < a->n; i++, row += li->size) {
		li->row(li->arg, row);
		strlcpy(li->after, row, sizeof(li->after));
	}
	li->answered = 1;
	if (a->r != 0) {
		li->done = 1;
		li->end(li->arg, a->r == -1 ? -1 : 0);
	}
	if (!li->asking)
		list_on(li);
}

static void
list_on(struct listing *li)
{
	li->asking = 1;
	while (li->answered && !li->done) {
		li->answered = 0;
		(void)store_ask(&(struct question){ .what = li->what,
		    .key = li->after, .now = clock_wall_ms() }, list_page, li);
	}
	li->asking = 0;
	if (li->done)
		free(li);
}

int
ctl_walk(enum store_what what, size_t size, void (*row)(void *, const void *),
    void (*end)(void *, int), void *arg)
{
	struct listing	*li;

	if ((li = calloc(1, sizeof(*li))) == NULL)
		return (-1);
	li->what = what;
	li->size = size;
	li->row = row;
	li->end = end;
	li->arg = arg;
	li->answered = 1;
	turn_flush();
	list_on(li);
	return (0);
}

struct sending {
	struct asker	 asker;
	void		(*send)(const struct asker *, const void *);
};

static void
send_row(void *arg, const void *row)
{
	struct sending	*s = arg;

	s->send(&s->asker, row);
}

static void
send_end(void *arg, int r)
{
	struct sending	*s = arg;

	if (r == -1)
		ctl_done(&s->asker, 503, "store is unavailable");
	else
		ctl_done(&s->asker, 0, "");
	free(s);
}

void
ctl_list(const struct ctl *ctl, enum store_what what, size_t size,
    void (*send)(const struct asker *, const void *))
{
	struct sending	*s;

	if ((s = malloc(sizeof(*s))) == NULL) {
		ctl_done(&ctl->asker, 503, "server is busy");
		return;
	}
	s->asker = ctl->asker;
	s->send = send;
	if (ctl_walk(what, size, send_row, send_end, s) == -1) {
		ctl_done(&ctl->asker, 503, "server is busy");
		free(s);
	}
}
