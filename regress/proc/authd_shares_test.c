/* SPDX-License-Identifier: ISC */
/*
 * What one may have of what all share: a broken proxyd, a system, an operator
 * takes from himself, not from the others.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "regress/lib/authd_story.h"
#include "regress/lib/tap.h"

#define ADMIT_MAX	8192
#define RATE		10		/* attempts per address, and per slot */

static struct far	*proxyd, *control;
static char		*token;

/* How many of `n` are let in; the parent hears of each first. */
static int
admit_many(struct far *p, const char *addr, int n, int *status)
{
	struct msg_admitted	in;
	uint64_t		nonce;
	int			i;

	for (i = 0; i < n; i++) {
		if ((nonce = admit(p, addr, status)) == 0)
			break;
		(void)hear(parent.fd, admitted, &in);
		if (in.nonce != nonce || in.class != CLASS_TUNNEL ||
		    in.instance != 0)
			break;
	}
	return (i);
}

static void
places(void)
{
	struct far	*bad = drive_spawn(ROLE_PROXYD, 0);
	char		 addr[ADDR_SIZE];
	int		 i, n = 0, status = 0;

	drive_sync(control);
	for (i = 0; status == 0 && i < ADMIT_MAX; i++) {
		snprintf(addr, sizeof(addr), "10.1.%d.%d", i / 250, i % 250);
		n += admit_many(bad, addr, 1, &status);
	}
	is_int(n, ADMIT_MAX / 2, "a proxyd's connections on their way: half "
	    "of the places when there are two");
	is_int(status, 503, "then it hears 503");
	is_int(admit_many(proxyd, "192.0.2.1", 5, &status), 5,
	    "another proxyd's are let in");
	far_close(bad);
	drive_sync(control);
	is_int(stat_of(control, "admissions"), 5, "what it held goes with it");
	drive_clock(&authd, 60001);
}

static void
addresses(void)
{
	struct far	*bad = drive_spawn(ROLE_PROXYD, 0);
	int		 status = 0;

	drive_sync(control);
	is_int(admit_many(bad, "203.0.113.9", 100, &status), RATE,
	    "attempts of the address that a proxyd names");
	is_int(status, 429, "then it is shut out there");
	is_int(admit_many(proxyd, "203.0.113.9", 100, &status), RATE / 2,
	    "half of them are left to it at another proxyd");
	far_close(bad);
	drive_sync(control);
	is_int(admit_many(proxyd, "203.0.113.9", 100, &status), RATE / 2,
	    "with the proxyd its count goes");
	drive_clock(&authd, 60001);
}

/* Wrong secrets under another's key and address. */
static void
secrets(void)
{
	struct far	*bad = drive_spawn(ROLE_PROXYD, 0);
	struct tunnel	 t, lie;
	char		 addr[ADDR_SIZE] = "203.0.113.20";
	int		 i;

	system_add(control, &t, "");
	lie = t;
	lie.secret[strlen(lie.secret) - 1] ^= 1;
	for (i = 0; i < RATE; i++) {
		login(bad, &lie, "", "", addr);
		far_close(lie.mux);
	}
	is_int(lie.status, 401, "a broken proxyd tries wrong secrets");
	drive_clock(&authd, 1);
	login(proxyd, &t, "", "", addr);
	is_int(t.status, 0, "the system itself still gets in elsewhere");
	far_close(t.mux);
	far_close(bad);
	drive_clock(&authd, 60001);
}

int
main(void)
{
	authd_init();
	drive_conf.rate_address = RATE;
	drive_conf.rate_slot = RATE;
	authd_start(1);
	control = drive_spawn(ROLE_CONTROL, 0);
	proxyd = drive_spawn(ROLE_PROXYD, 0);
	token = operator_token(control, "alice", "", "owner", "");
	places();
	addresses();
	secrets();
	is_int(authd_stop(), 0, "authd stops in order");
	far_close(proxyd);
	far_close(control);
	free(token);
	return (done_testing());
}
