/* SPDX-License-Identifier: ISC */
/*
 * The headers of what members of a cluster pass on: made and taken once, by
 * whom they are for, while they are new; and not with any one bit changed.
 */
#include <sodium.h>
#include <string.h>

#include "authd/cred/peerhead.h"
#include "authd/cred/shared.h"
#include "net/proxyhead.h"
#include "regress/lib/tap.h"

#define NOW	1700000000000LL
#define SECRET	"0123456789abcdef0123456789abcdef"

static uint8_t	head[PEER_HEAD_MAX];
static long	len;

static void
make(const char *client, uint32_t flags, const char *member, int64_t now)
{
	struct peerhead	ph = { .flags = flags };

	(void)addr_parse(&ph.client, client, strlen(client));
	len = peerhead_make(head, &ph, member, now);
}

static const char *
check_since(const char *self, int64_t now, int64_t since)
{
	struct peerhead	 ph;
	const char	*why = peerhead_check(&ph, head, (size_t)len, self,
			    now, since);

	return (why == NULL ? "" : why);
}

static const char *
check(const char *self, int64_t now)
{
	return (check_since(self, now, 0));
}

static void
test_good(const char *client, uint32_t flags)
{
	struct peerhead	 ph;
	struct proxyhead h;
	const char	*why;
	char		 text[ADDR_SIZE];

	make(client, flags, "b", NOW);
	ok(len > 0 && len <= PEER_HEAD_MAX, "%s: made", client);
	is_int(proxyhead_parse(&h, head, (size_t)len, &why), len,
	    "it is a PROXY header");
	ok(peerhead_check(&ph, head, (size_t)len, "b", NOW, 0) == NULL, "taken");
	addr_print(&ph.client, text);
	is_str(text, client, "the client");
	is_int(ph.flags, flags, "his listener");
	is_str(check("b", NOW), "a header that was here before",
	    "a second time it is not");
}

static void
test_not(void)
{
	make("192.0.2.7", 0, "b", NOW);
	ok(strstr(check("c", NOW), "for somebody else") != NULL,
	    "not by another member");
	ok(strstr(check("", NOW), "for somebody else") != NULL,
	    "nor by one without a name");
	ok(strstr(check("b", NOW + PEERHEAD_AGE_MS + 1), "too old") != NULL,
	    "not when it is old");
	ok(strstr(check("b", NOW - PEERHEAD_AGE_MS - 1), "future") != NULL,
	    "nor before it was made");
	is_str(check("b", NOW + PEERHEAD_AGE_MS), "", "just in time");
	make("192.0.2.7", 0, "b", NOW);
	is_str(check("b", NOW - PEERHEAD_AGE_MS), "", "a clock that is behind");
	make("192.0.2.7", LISTEN_FORWARDED, "b", NOW);
	ok(strstr(check("b", NOW), "flags") != NULL,
	    "no flags that do not go along");
	make("192.0.2.7", 0, "b", NOW);
	len++;
	ok(strstr(check("b", NOW), "no header of a member") != NULL,
	    "one byte more");
	len -= 2;
	ok(strstr(check("b", NOW), "no header of a member") != NULL,
	    "one less");
	(void)shared_set(SHARED_CLUSTER, SECRET "x", 33);
	len++;
	ok(strstr(check("b", NOW), "another secret") != NULL,
	    "under another secret");
	(void)shared_set(SHARED_CLUSTER, SECRET, 32);
	is_str(check("b", NOW), "", "under ours it is");
}

/* What was here before an authd that is no more. */
static void
test_since(void)
{
	make("192.0.2.7", 0, "b", NOW);
	ok(strstr(check_since("b", NOW, NOW + PEERHEAD_SLACK_MS + 1),
	    "before we began") != NULL, "of before it began it takes none");
	is_str(check_since("b", NOW, NOW + PEERHEAD_SLACK_MS), "",
	    "but what was on its way just then");
}

/* More than are remembered, all of them new: the first is not heard again. */
static void
test_many(void)
{
	uint8_t	first[PEER_HEAD_MAX];
	long	i, wrong = 0;

	make("192.0.2.7", 0, "b", NOW + 1);
	memcpy(first, head, sizeof(first));
	is_str(check("b", NOW + 1), "", "one is taken");
	for (i = 0; i < 100000; i++) {
		make("192.0.2.7", 0, "b", NOW + 2 + i / 16);
		wrong += check("b", NOW + 2 + i / 16)[0] != '\0';
	}
	is_int(wrong, 0, "and %ld behind it", i);
	memcpy(head, first, sizeof(first));
	is_str(check("b", NOW + 2 + i / 16), "a header that was here before",
	    "but not that one again");
}

static void
test_bits(void)
{
	long	i, bad = 0;

	make("192.0.2.7", LISTEN_INTERNAL, "b", NOW);
	for (i = 0; i < len * 8; i++) {
		head[i / 8] ^= (uint8_t)(1 << (i % 8));
		if (check("b", NOW)[0] == '\0')
			bad++;
		head[i / 8] ^= (uint8_t)(1 << (i % 8));
	}
	is_int(bad, 0, "with any bit changed it is none (%ld)", len * 8);
	is_str(check("b", NOW), "", "as it was it is one");
}

int
main(void)
{
	if (sodium_init() == -1)
		return (1);
	make("192.0.2.7", 0, "b", NOW);
	is_int(len, -1, "without a secret there is none");
	(void)shared_set(SHARED_CLUSTER, SECRET, 32);
	test_good("192.0.2.7", 0);
	test_good("2001:db8::9", LISTEN_INTERNAL | LISTEN_VOUCHED);
	test_not();
	test_bits();
	test_since();
	test_many();
	return (done_testing());
}
