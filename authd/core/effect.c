/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "effect.h"

#define ROOM_SPARE	8

static struct {
	struct effect	*v;
	size_t		 first, n, room;	/* n counts those taken too */
	size_t		 owed;
	struct effect	 lost;
} effects;
unsigned long	effects_lost;

static int
effect_grow(size_t want)
{
	struct effect	*v;
	size_t		 room = want + want / 4 + ROOM_SPARE;

	if (want <= effects.room)
		return (0);
	if ((v = reallocarray(effects.v, room, sizeof(*v))) == NULL)
		return (-1);
	effects.v = v;
	effects.room = room;
	return (0);
}

int
effect_owe(unsigned n)
{
	if (effect_grow(effects.n + effects.owed + n) == -1)
		return (-1);
	effects.owed += n;
	return (0);
}

void
effect_paid(unsigned n)
{
	effects.owed -= n;
}

struct effect *
effect_add(enum effect_kind kind)
{
	struct effect	*e = &effects.lost;

	if (effect_grow(effects.n + 1) == 0)
		e = &effects.v[effects.n++];
	else
		effects_lost++;
	memset(e, 0, sizeof(*e));
	e->kind = kind;
	return (e);
}

int
effect_take(struct effect *e)
{
	if (effects.first == effects.n) {
		effects.first = effects.n = 0;
		return (0);
	}
	*e = effects.v[effects.first++];
	return (1);
}

size_t
effect_clear(void)
{
	size_t	owed = effects.owed;

	free(effects.v);
	memset(&effects, 0, sizeof(effects));
	return (owed);
}
