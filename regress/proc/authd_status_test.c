/* SPDX-License-Identifier: ISC */
/*
 * What authd asks the parent when an administrator looks, and what becomes of
 * the answer: one question for all who look, and no answer is a 503.
 */
#include <stdlib.h>
#include <string.h>

#include "regress/lib/authd_story.h"
#include "regress/lib/tap.h"

#define WAITERS	33	/* one more than may wait */

static struct far	*proxyd, *control;
static char		*token;

static void
look(void)
{
	struct msg_api	m = { .token = token, .addr = "192.0.2.7" };

	api_ask(proxyd, API_STATUS, &m);
}

/* The parent is asked. */
static uint32_t
asked(void)
{
	return (hear(parent.fd, processes, NULL)->id);
}

static void
one(uint32_t id, unsigned role, unsigned count)
{
	say_id(parent.fd, id, process, .role = (uint8_t)role,
	    .state = "ready", .count = count, .layers = SB_USER | SB_SECCOMP,
	    .oldest_ms = 60000, .newest_ms = 1000, .memory = 4096);
}

static void
told(void)
{
	uint32_t	id;

	look();
	id = asked();
	one(id, ROLE_PARENT, 1);
	one(id, ROLE_MUXD, 3);
	say_id(parent.fd, id, processes_end);
	is_int(api_hear(proxyd), 200, "what the parent says is the answer");
	ok(strstr(api_data, "{\"role\":\"muxd\",\"state\":\"ready\","
	    "\"count\":3,\"layers\":[\"user\",\"seccomp\"],") != NULL,
	    "role, state, how many, the layers that they have");
	look();
	is_int(api_hear(proxyd), 200,
	    "who looks at once has the same: the parent is not asked");
}

/* Many at once are one question. */
static void
together(void)
{
	uint32_t	id;
	int		i, yes = 0, no = 0;

	drive_clock(&authd, 1500);
	for (i = 0; i < WAITERS; i++)
		look();
	id = asked();
	is_int(api_hear(proxyd), 503, "too many wait: busy");
	one(id, ROLE_AUTHD, 1);
	say_id(parent.fd, id, processes_end);
	for (i = 1; i < WAITERS; i++)
		if (api_hear(proxyd) == 200)
			yes++;
		else
			no++;
	ok(yes == WAITERS - 1 && no == 0,
	    "all others hear the one answer (%d)", yes);
}

static void
silent(void)
{
	uint32_t	id;

	drive_clock(&authd, 1500);
	look();
	id = asked();
	one(id, ROLE_AUTHD, 1);
	drive_clock(&authd, 4000);
	is_int(api_hear(proxyd), 503, "no answer in time: busy");
	one(id, ROLE_MUXD, 9);
	look();
	id = asked();
	one(id, ROLE_PROXYD, 2);
	say_id(parent.fd, id, processes_end);
	is_int(api_hear(proxyd), 200, "the next question has an answer");
	ok(strstr(api_data, "\"processes\":[{\"role\":\"proxyd\"") != NULL &&
	    strstr(api_data, "muxd") == NULL,
	    "in which nothing of the late one is");
}

/* Owner is a role, not a beginning of one. */
static void
others(void)
{
	static const char *const	roles[] = { "distributor", "reseller",
	    "customer", "admin", "owner2", "" };
	char				*good = token;
	size_t				 i;

	for (i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		token = operator_token(control, "bob", "o", roles[i],
		    "connect:systems,read:status");
		look();
		if (roles[i][0] == '\0')
			is_int(api_hear(proxyd), 403,
			    "no role, of an organization: refused");
		else
			is_int(api_hear(proxyd), 403, "%s: refused", roles[i]);
		free(token);
	}
	token = good;
}

int
main(void)
{
	authd_init();
	authd_start(1);
	control = drive_spawn(ROLE_CONTROL, 0);
	proxyd = drive_spawn(ROLE_PROXYD, 0);
	token = operator_token(control, "alice", "", "owner", "read:status");
	told();
	together();
	silent();
	others();
	far_close(control);
	far_close(proxyd);
	free(token);
	is_int(authd_stop(), 0, "authd stops in order");
	return (done_testing());
}
