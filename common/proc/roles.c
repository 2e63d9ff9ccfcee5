/* SPDX-License-Identifier: ISC */
#include <stddef.h>

#include "roles.h"

static const struct role_info roles[ROLE_COUNT] = {
	[ROLE_NONE] = { "nobody", NULL, ROOM_EMPTY, MANY_NONE, 0,
	    FILTER_NOTHING },
#define R(NAME, name, user, room, many, flags, filter)			\
	[ROLE_##NAME] = { #name, user, ROOM_##room, MANY_##many, flags,	\
	    FILTER_##filter },
#include "roles.def"
#undef R
};

static const struct class_info classes[CLASS_COUNT] = {
#define K(NAME, word, ROLE, startups, full)				\
	[CLASS_##NAME] = { ROLE_##ROLE, startups, full },
#include "classes.def"
#undef K
};

const struct role_info *
role_info(int role)
{
	static const struct role_info	unknown = { "unknown", NULL,
	    ROOM_EMPTY, MANY_NONE, 0, FILTER_NOTHING };

	return (role >= 0 && role < ROLE_COUNT ? &roles[role] : &unknown);
}

const char *
role_name(int role)
{
	return (role_info(role)->name);
}

enum conn_class
role_class(int role)
{
	unsigned	class;

	for (class = CLASS_NONE + 1; class < CLASS_COUNT; class++)
		if (classes[class].role == role)
			return ((enum conn_class)class);
	return (CLASS_NONE);
}

const struct class_info *
class_info(unsigned class)
{
	return (class > 0 && class < CLASS_COUNT ? &classes[class] : NULL);
}
