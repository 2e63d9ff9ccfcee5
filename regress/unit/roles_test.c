/* SPDX-License-Identifier: ISC */
/* The roles and classes: every row makes sense beside the others. */
#include <string.h>

#include "proc/roles.h"
#include "regress/lib/tap.h"

static void
test_row(int role)
{
	const struct role_info	*r = role_info(role);
	int			 child = r->many != MANY_NONE, i;

	for (i = 0; i < role; i++)
		if (strcmp(role_name(i), r->name) == 0)
			break;
	is_int(i, role, "%s: the only one of this name", r->name);
	is_int(child, (R_CHILDREN & ROLE_BIT(role)) != 0,
	    "%s: started by the parent", r->name);
	is_int(r->many != MANY_NONE && r->many != MANY_DEMAND,
	    (R_STANDING & ROLE_BIT(role)) != 0, "%s: has a place of its own",
	    r->name);
	ok(!child || (r->user != NULL && r->user[0] == '_' &&
	    r->filter != FILTER_NOTHING),
	    "%s: a child has a user of its own and a filter", r->name);
	ok((r->flags & RF_KEYS) == 0 || (r->flags &
	    (RF_DOORS | RF_DESK | RF_LINKED)) == 0,
	    "%s: who has keys has no door", r->name);
	ok((r->flags & RF_LOGIN) == 0 || (r->flags & RF_BOUND) != 0,
	    "%s: who logs in is bound then", r->name);
	is_int(((r->flags & RF_LOGIN) != 0) + ((r->flags & RF_STREAM) != 0) +
	    ((r->flags & RF_DOORS) != 0) > 1, 0,
	    "%s: it is one of those that authd knows apart", r->name);
	ok((r->flags & (RF_LOGIN | RF_STREAM)) == 0 ||
	    r->many == MANY_DEMAND, "%s: a tunnel or a terminal is one of many",
	    r->name);
	ok((r->flags & RF_BOUND) == 0 || r->many == MANY_DEMAND,
	    "%s: who is bound is for one thing", r->name);
}

static void
test_users(void)
{
	const char	*a, *b;
	int		 i, j, same = 0;

	for (i = 1; i < ROLE_COUNT; i++)
		for (j = 1; j < i; j++) {
			a = role_info(i)->user;
			b = role_info(j)->user;
			same += a != NULL && b != NULL && strcmp(a, b) == 0;
		}
	is_int(same, 0, "no two roles share a user");
}

int
main(void)
{
	unsigned	class;
	int		role;

	for (role = 1; role < ROLE_COUNT; role++)
		test_row(role);
	test_users();
	ok(strcmp(role_name(-1), "unknown") == 0 &&
	    strcmp(role_name(ROLE_COUNT), "unknown") == 0 &&
	    role_info(ROLE_COUNT)->many == MANY_NONE,
	    "what is no role has nothing");
	ok(class_info(0) == NULL && class_info(CLASS_COUNT) == NULL,
	    "what is no class is none");
	for (class = 1; class < CLASS_COUNT; class++)
		ok(class_info(class) != NULL && class_info(class)->full != NULL
		    && (role_info(class_info(class)->role)->many == MANY_DEMAND
		    || class_info(class)->role == ROLE_PAIRD),
		    "class %u: one worker each, and why it is refused", class);
	return (done_testing());
}
