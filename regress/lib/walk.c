/* SPDX-License-Identifier: ISC */
#include "drive.h"
#include "walk.h"

static const char *const	words[BENDS] = { "least", "most", "twice",
	"wrong role", "wrong state", "a byte short", "a byte long",
	"with a byte left over", "with a descriptor",
	"without its descriptor", "without an id" };

/* May somebody of this role say it, by any row? */
static int
allowed(const struct dispatch *t, size_t rows, uint32_t type, int role)
{
	size_t	i;

	for (i = 0; i < rows; i++)
		if (t[i].type == type && (t[i].roles & ROLE_BIT(role)))
			return (1);
	return (0);
}

/* May it be said in this state, by any row? */
static int
known(const struct dispatch *t, size_t rows, const struct dispatch *d,
    const struct bent *b)
{
	size_t	i;

	for (i = 0; i < rows; i++)
		if (t[i].type == d->type && (t[i].states & S(b->state)) &&
		    (t[i].roles & ROLE_BIT(b->role)))
			return (1);
	return (0);
}

/* Bend it in a way that has no variants. Is there such a way? */
static int
bend(const struct dispatch *d, struct bent *b)
{
	const struct msg_info	*info = msg_info(d->type);

	switch (b->how) {
	case BEND_MOST:
		b->len = info->max;
		return (1);
	case BEND_SHORT:
		b->len--;
		return (info->min > 0);
	case BEND_LONG:
		b->len = info->max + 1;
		return (1);
	case BEND_LEFT:
		b->len++;
		return (info->max > info->min);
	case BEND_FD:
		b->fd = 1;
		return (info->carries == CARRIES_NOTHING);
	case BEND_NO_FD:
		b->fd = 0;
		return (info->carries != CARRIES_NOTHING);
	case BEND_NO_ID:
		b->id = 0;
		return ((d->flags & (MF_REQUEST | MF_ANSWER)) != 0);
	default:
		return (1);
	}
}

static void
walk_row(const struct dispatch *t, size_t rows, const struct dispatch *d,
    walk_fn fn)
{
	const struct msg_info	*info = msg_info(d->type);
	struct bent		 least = { .id = 1, .len = info->min,
	    .fd = info->carries != CARRIES_NOTHING }, b;
	int			 how, i;

	while (!(d->roles & ROLE_BIT(least.role)))
		least.role++;
	while (!(d->states & S(least.state)))
		least.state++;
	for (how = 0; how < BENDS; how++) {
		b = least;
		b.how = (enum bend)how;
		b.word = words[how];
		if (b.how != BEND_ROLE && b.how != BEND_STATE) {
			if (bend(d, &b))
				fn(d, &b);
			continue;
		}
		for (i = 0; b.how == BEND_ROLE && i < ROLE_COUNT; i++) {
			b.role = i;
			if (!allowed(t, rows, d->type, i))
				fn(d, &b);
		}
		for (i = 0; b.how == BEND_STATE && i < 32; i++) {
			b.state = i;
			if (!known(t, rows, d, &b))
				fn(d, &b);
		}
	}
}

void
walk_table(const struct dispatch *t, size_t rows, walk_fn fn)
{
	size_t	i;

	for (i = 0; i < rows; i++)
		walk_row(t, rows, &t[i], fn);
}

void
walk_say(int sock, const struct dispatch *d, const struct bent *b, int fd)
{
	static const uint8_t	zero[IMSG_MAX];

	if (!b->fd)
		shut(&fd);
	say_raw(sock, d->type, b->id, fd, zero, b->len);
}
