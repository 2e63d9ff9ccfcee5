/* SPDX-License-Identifier: ISC */
/* Lists: a page of the store's, the rows of it, the next page. */
#include <stdlib.h>
#include <string.h>

#include "authd/turn.h"
#include "base/clock.h"
#include "base/compat.h"
#include "ctl.h"

struct listing {
	struct asker	 asker;
	enum store_what	 what;
	size_t		 size;		/* of a row, which begins with its id */
	void		(*send)(const struct asker *, const void *);
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
		li->send(&li->asker, row);
		strlcpy(li->after, row, sizeof(li->after));
	}
	li->answered = 1;
	if (a->r != 0) {
		li->done = 1;
		if (a->r == -1)
			ctl_done(&li->asker, 503, "store is unavailable");
		else
			ctl_done(&li->asker, 0, "");
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

void
ctl_list(const struct ctl *ctl, enum store_what what, size_t size,
    void (*send)(const struct asker *, const void *))
{
	struct listing	*li;

	if ((li = calloc(1, sizeof(*li))) == NULL) {
		ctl_done(&ctl->asker, 503, "server is busy");
		return;
	}
	li->asker = ctl->asker;
	li->what = what;
	li->size = size;
	li->send = send;
	li->answered = 1;
	turn_flush();
	list_on(li);
}
