/* SPDX-License-Identifier: ISC */
/* The table that one relayd leaves to the next: what is refused of it. */
#include <stdlib.h>
#include <string.h>

#include "regress/lib/tap.h"
#include "relayd/table.h"

static const char	*why;

static struct table_record
a_head(void)
{
	struct table_record	r = { .type = TABLE_HEAD };

	r.head = (struct table_head){ .version = "0.1", .build = "0.1-7",
	    .messages = 9, .last_instance = 41, .asked_by = 3,
	    .asked_id = 12 };
	return (r);
}

static struct table_record
a_child(void)
{
	struct table_record	r = { .type = TABLE_CHILD };

	r.child = (struct table_child){ .role = ROLE_MUXD, .instance = 41,
	    .pid = 4711, .state = 1, .bound = 1, .system = "NETH-1",
	    .session = "3f2a1b4c-0000-4000-8000-00000000000a",
	    .generation = 7, .addr = "192.0.2.1", .build = "0.1-7",
	    .chan = 17, .chan_inode = 99 };
	return (r);
}

static void
make(struct table_put *t)
{
	struct table_record	r = a_head();

	memset(t, 0, sizeof(*t));
	table_add(t, &r);
	r = a_child();
	table_add(t, &r);
	r = (struct table_record){ .type = TABLE_DOOR,
	    .door = { .address = { "sockaddr", 8 }, .fd = 20 } };
	table_add(t, &r);
	r = (struct table_record){ .type = TABLE_MEMBER, .member = {
	    .name = "a", .address = "192.0.2.7", .port = 7000 } };
	table_add(t, &r);
	if (table_end(t) == -1)
		bail_out("no table");
}

/* How many records it has, -1 with `why`. */
static int
walk(const uint8_t *p, size_t len)
{
	struct table_record	r;
	struct table_get	g;
	int			n, records = 0;

	if (table_open(&g, p, len, &why) == -1)
		return (-1);
	while ((n = table_next(&g, &r, &why)) == 1)
		records++;
	return (n == 0 ? records : -1);
}

static void
test_there_and_back(void)
{
	struct table_record	r;
	struct table_get	g;
	struct table_put	t;

	make(&t);
	ok(table_open(&g, t.p, t.len, &why) == 0, "a table");
	is_int(table_next(&g, &r, &why), 1, "a record");
	is_int(r.type, TABLE_HEAD, "the head");
	is_str(r.head.build, "0.1-7", "its build");
	is_int(r.head.last_instance, 41, "the last instance");
	is_int(r.head.asked_id, 12, "who asked");
	is_int(table_next(&g, &r, &why), 1, "another");
	is_int(r.type, TABLE_CHILD, "a child");
	is_int(r.child.pid, 4711, "its pid");
	is_str(r.child.session, "3f2a1b4c-0000-4000-8000-00000000000a",
	    "what it is bound to");
	is_int(r.child.chan_inode, 99, "its channel");
	is_int(table_next(&g, &r, &why), 1, "a door");
	is_mem(r.door.address.p, "sockaddr", 8, "its address");
	is_int(table_next(&g, &r, &why), 1, "a member");
	is_str(r.member.address, "192.0.2.7", "where it was");
	is_int(table_next(&g, &r, &why), 0, "and that was all");
	free(t.p);
}

static void
test_broken(void)
{
	struct table_put	t;
	size_t			len, good = 0;
	uint8_t			*copy;

	make(&t);
	for (len = 0; len < t.len; len++)
		good += walk(t.p, len) != -1;
	is_int(good, 0, "cut short at any place it is none");
	if ((copy = calloc(1, t.len + 1)) == NULL)
		bail_out("memory");
	memcpy(copy, t.p, t.len);
	is_int(walk(copy, t.len + 1), -1, "nothing may follow");
	is_str(why, "not as many records as it says", "and why");
	copy[0] ^= 1;
	is_int(walk(copy, t.len), -1, "of another kind");
	copy[0] ^= 1;
	copy[20] = 200;		/* the least version that it can be read by */
	copy[16] = 201;
	is_int(walk(copy, t.len), -1, "made for a later reader");
	is_str(why, "a table of a later kind", "and why");
	copy[20] = 1;
	is_int(walk(copy, t.len), 4, "a later one that we understand");
	free(copy);
	free(t.p);
}

/* The place of the first record's type. */
#define FIRST	(16 + 8)

/* A later writer has other records, and more in those that there are. */
static void
test_later(void)
{
	struct table_record	r;
	struct table_get	g;
	struct table_put	t;
	uint32_t		len, more;
	uint8_t			copy[4096];

	make(&t);
	memcpy(copy, t.p, t.len);
	copy[FIRST] = 77;
	is_int(walk(copy, t.len), 3, "a record of a later type is left out");
	memcpy(copy, t.p, t.len);
	memcpy(&len, copy + FIRST + 4, 4);
	memmove(copy + FIRST + 8 + len + 5, copy + FIRST + 8 + len,
	    t.len - FIRST - 8 - len);
	more = len + 5;
	memcpy(copy + FIRST + 4, &more, 4);
	is_int(walk(copy, t.len + 5), 4, "fields of a later kind are left");
	/* An earlier one had none of the last two fields: u64 and u32. */
	memcpy(copy, t.p, t.len);
	memmove(copy + FIRST + 8 + len - 12, copy + FIRST + 8 + len,
	    t.len - FIRST - 8 - len);
	more = len - 12;
	memcpy(copy + FIRST + 4, &more, 4);
	ok(table_open(&g, copy, t.len - 12, &why) == 0 &&
	    table_next(&g, &r, &why) == 1, "an earlier writer's head");
	is_int(r.head.last_instance, 41, "has what it has");
	is_int(r.head.asked_by, 0, "and nothing of the rest");
	free(t.p);
}

static void
test_limits(void)
{
	static char		 longer[ID_SIZE + 2];
	struct table_record	 r = a_child();
	struct table_put	 t = { .p = NULL };

	memset(longer, 'x', sizeof(longer) - 1);
	r.child.system = longer;
	table_add(&t, &r);
	is_int(table_end(&t), -1, "a text that is too long is not written");
	free(t.p);
}

int
main(void)
{
	test_there_and_back();
	test_broken();
	test_later();
	test_limits();
	done_testing();
	return (tap_status());
}
