/* SPDX-License-Identifier: ISC */
/* Who has to go when it gets crowded. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "net/crowd.h"
#include "regress/lib/tap.h"

static struct seat	seats[CROWD_HALF_MAX + 100];

static const struct addr *
from(unsigned int n)
{
	static struct addr	a;
	char			text[ADDR_SIZE];

	snprintf(text, sizeof(text), "10.%u.%u.%u", n >> 16 & 255,
	    n >> 8 & 255, n & 255);
	if (addr_parse(&a, text, strlen(text)) == -1)
		diag("%s", text);
	return (&a);
}

static enum crowd_room
room(unsigned int host, uint64_t now, struct seat **s)
{
	*s = NULL;
	return (crowd_room(from(host), 0, now, s));
}

static void
leave_all(void)
{
	size_t	i;

	for (i = 0; i < sizeof(seats) / sizeof(seats[0]); i++)
		crowd_leave(&seats[i]);
}

static void
one_address(void)
{
	struct seat	*s;
	struct addr	 v6;
	size_t		 i;

	for (i = 0; i < CROWD_HALF_ADDRESS; i++)
		(void)crowd_enter(&seats[i], from(1), 0);
	is_int(room(1, 0, &s), CROWD_FULL, "64 heads of one address");
	is_int(room(2, 0, &s), CROWD_ROOM, "are another's room");
	is_int(crowd_room(from(1), 1, 0, &s), CROWD_ROOM,
	    "as they are of one that stands for many");
	crowd_busy(&seats[0]);
	is_int(room(1, 0, &s), CROWD_ROOM, "a head that is there counts not");
	for (i = 0; i < CROWD_ADDRESS; i++) {
		if (seats[i].at == SEAT_OUT)
			(void)crowd_enter(&seats[i], from(1), 0);
		crowd_busy(&seats[i]);
	}
	is_int(room(1, 0, &s), CROWD_FULL, "1,024 busy ones of one address");
	crowd_idle(&seats[5]);
	crowd_idle(&seats[3]);
	is_int(room(1, 0, &s), CROWD_CLOSE, "an idle one makes room");
	ok(s == &seats[5], "the one that has been idle longest");
	crowd_busy(&seats[5]);
	(void)room(1, 0, &s);
	ok(s == &seats[3], "not one that is busy again");
	ok(crowd_spare(0) == &seats[3], "idle ones can be spared");
	crowd_leave(&seats[3]);
	is_int(room(1, 0, &s), CROWD_ROOM, "it has left");
	ok(crowd_spare(0) == NULL, "nobody else can be spared");
	leave_all();
	(void)addr_parse(&v6, "2001:db8::1", 11);
	for (i = 0; i < CROWD_HALF_ADDRESS; i++)
		(void)crowd_enter(&seats[i], &v6, 0);
	(void)addr_parse(&v6, "2001:db8::2:1", 13);
	is_int(crowd_room(&v6, 0, 0, &s), CROWD_FULL,
	    "a /64 is one address");
	leave_all();
}

static void
everybody(void)
{
	struct seat	*s;
	size_t		 i;

	for (i = 0; i < CROWD_HALF_MAX; i++)
		(void)crowd_enter(&seats[i], from((unsigned)i), i < 10 ? 0 :
		    500);
	is_int(room(9999, 900, &s), CROWD_CLOSE, "4,096 heads");
	ok(s == &seats[0], "all are fresh: the oldest goes");
	crowd_half(&seats[0], 100);
	crowd_half(&seats[1], 3);
	crowd_half(&seats[3], 2);
	(void)room(9999, 1000, &s);
	ok(s == &seats[2], "the second is over for ten: who has sent nothing");
	crowd_half(&seats[2], 5000);
	for (i = 4; i < 10; i++)
		crowd_half(&seats[i], 1);
	(void)room(9999, 1000, &s);
	ok(s == &seats[4], "then one byte is least");
	for (i = 4; i < 10; i++)
		crowd_half(&seats[i], 16000);
	(void)room(9999, 1000, &s);
	ok(s == &seats[1], "of two that have sent as much the older");
	for (i = 0; i < 10; i++)
		crowd_busy(&seats[i]);
	is_int(room(9999, 1000, &s), CROWD_ROOM, "heads that are there go");
	crowd_half(&seats[0], 1);
	ok(crowd_spare(1000) == &seats[0],
	    "half a head behind an answer can be spared");
	crowd_idle(&seats[1]);
	ok(crowd_spare(1000) == &seats[1], "but after an idle one");
	leave_all();
	ok(crowd_spare(5000) == NULL, "all have left");
}

int
main(void)
{
	if (sodium_init() == -1)
		bail_out("sodium");
	crowd_init();
	one_address();
	everybody();
	return (done_testing());
}
