/* SPDX-License-Identifier: ISC */
/*
 * Two protocols: what a build with messages more says to one without them, and
 * hears of it. All files are compiled here as in such a build.
 */
#define RELAYD_NEXT_MESSAGES	1
#include "common/imsg/msg.c"
#include "common/imsg/proto.c"
#include "common/imsg/protosum.c"

#include "regress/lib/tap.h"

static void
test_numbers(void)
{
	uint32_t	type, before = 0, n;
	int		wrong = 0;

	ok(PROTOCOL == 2, "this is protocol 2");
	ok(proto_is_known(0) && proto_is_known(1) && proto_is_known(2),
	    "it knows itself and the one before");
	ok(!proto_is_known(3) && !proto_is_known(UINT32_MAX),
	    "and no other");
	is_int(proto_number(1, IMSG_TEST_NEXT), IMSG_NONE,
	    "what is new has no number before");
	is_int(proto_number(1, IMSG_TEST_NEXT - 1), IMSG_TEST_NEXT - 1,
	    "what lies before it has the same");
	is_int(proto_number(1, IMSG_TEST_NEXT + 1), IMSG_TEST_NEXT,
	    "what lies behind it is one less");
	for (type = IMSG_NONE + 1; type < IMSG_COUNT; type++) {
		wrong += proto_number(2, type) != type ||
		    proto_number(0, type) != type;
		if ((n = proto_number(1, type)) == IMSG_NONE)
			continue;
		wrong += n != before + 1 || proto_type(1, n) != type;
		before = n;
	}
	is_int(wrong, 0, "without a gap, and back again");
	is_int(proto_type(1, before + 1), IMSG_NONE, "there is no more");
	is_int(proto_type(1, UINT32_MAX), IMSG_NONE, "nor a wild one");
	is_int(proto_type(1, IMSG_NONE), IMSG_NONE, "none is none");
	is_int(proto_of_both(0, 1), 1, "of two the lower");
	is_int(proto_of_both(0, 0), 2, "0 is this build's");
	ok(proto_sum(1) != proto_sum(2) && proto_sum(0) == proto_sum(2),
	    "sums differ");
}

static void
test_order(void)
{
	size_t	i;
	int	wrong = 0;

	for (i = 1; i < sizeof(newer) / sizeof(newer[0]); i++)
		wrong += newer[i] <= newer[i - 1];
	is_int(wrong, 0, "newer.def is in the order of msg.def");
}

static void
test_fields(void)
{
	struct msg_give	give = { .class = 3, .next = 77, .nonce = 9,
	    .addr = "192.0.2.1", .accept = "a", .request = "r",
	    .bytes = { "xyz", 3 }, .seen = 5 }, got;
	uint8_t		buf[512];
	long		now, then;

	now = msg_put(IMSG_GIVE, &give, buf, sizeof(buf));
	then = msg_put_as(1, IMSG_GIVE, &give, buf, sizeof(buf));
	is_int(now - then, 4, "a field that is new is not sent");
	memset(&got, 0xff, sizeof(got));
	is_int(msg_get_as(1, IMSG_GIVE, buf, (size_t)then, &got), 0,
	    "what came without it is understood");
	ok(got.next == 0 && got.class == 3 && got.nonce == 9 &&
	    got.seen == 5 && strcmp(got.addr, "192.0.2.1") == 0 &&
	    got.bytes.len == 3, "it is 0, the others are what they were");
	is_int(msg_get(IMSG_GIVE, buf, (size_t)then, &got), -1,
	    "in protocol 2 it would be malformed");
	is_int(msg_get_as(1, IMSG_GIVE, buf, (size_t)then - 1, &got), -1,
	    "nor may a byte be missing");
	is_int(msg_get_as(1, IMSG_GIVE, buf, (size_t)then + 1, &got), -1,
	    "nor one be left over");
}

int
main(void)
{
	test_numbers();
	test_order();
	test_fields();
	done_testing();
	return (tap_status());
}
