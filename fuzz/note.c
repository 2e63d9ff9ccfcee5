/* SPDX-License-Identifier: ISC */
/*
 * What is said in the channel of a cluster's members, as it comes; then the
 * input signed well: what is a note then is the same when it is printed.
 */
#include <sodium.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authd/cred/shared.h"
#include "authd/redis/note.h"
#include "base/compat.h"
#include "fuzz.h"

#define NOW	1700000000000

static void
look(const char *text, size_t len)
{
	struct note	n, again;
	char		back[NOTE_SIZE];

	if (note_parse(&n, text, len, NOW) != NULL)
		return;
	if (note_print(&n, back) == -1 ||
	    note_parse(&again, back, strlen(back), NOW) != NULL ||
	    memcmp(&n, &again, sizeof(n)) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static int	 ready;
	char		 mac[SHARED_MAC_SIZE], text[2 * NOTE_SIZE];
	int		 n;

	if (!ready && (sodium_init() == -1 || shared_set(SHARED_CLUSTER,
	    "0123456789abcdef0123456789abcdef", 32) == -1))
		abort();
	ready = 1;
	look((const char *)data, len);
	if (len > NOTE_SIZE || shared_sign(SHARED_CLUSTER, (const char *)data,
	    len, mac) == -1)
		return (0);
	n = snprintf(text, sizeof(text), "%.*s %s", (int)len,
	    (const char *)data, mac);
	look(text, (size_t)n);
	return (0);
}
