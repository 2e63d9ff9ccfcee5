/* SPDX-License-Identifier: ISC */
/*
 * A store that is asked and does not answer: everybody hears 503 in time, and
 * one asker's questions leave room for the others'.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "regress/lib/authd_story.h"
#include "regress/lib/tap.h"

#define WAITING_MAX	1024
#define FACTS_MS	1501
#define QUESTION_MS	5001

static struct far	*proxyd, *control;
static struct tunnel	 tun;
static char		*token, proxy[TOKEN_SIZE], slug[SLUG_SIZE];

static void
hold(int on)
{
	world_sql("PRAGMA application_id = %d", on);
}

/* How many questions wait; other channels may be read later than this one. */
static long
become(long want)
{
	long	v = -1;
	int	i;

	for (i = 0; i < WAIT_MS / 5; i++) {
		v = (long)stat_of(control, "store_questions");
		if (v == want)
			break;
		poll(NULL, 0, 5);
	}
	return (v);
}

static void
grant_say(struct far *p)
{
	say_id(p->fd, next_id(p), grant, .token = proxy, .slug = slug,
	    .addr = "192.0.2.99");
}

static void
story(void)
{
	struct api	a = { .service = "s0" };
	size_t		i, n = 0;

	token = operator_token(control, "alice", "", "owner", "");
	system_add(control, &tun, "");
	login(proxyd, &tun, "", "", "192.0.2.1");
	up(&tun, 1);
	a.token = token;
	a.session = tun.session;
	is_int(api(proxyd, API_PROXY_TOKEN, &a), 200, "a proxy token");
	strlcpy(proxy, api_str("token"), sizeof(proxy));
	for (i = 0; tun.session[i] != '\0'; i++)
		if (tun.session[i] != '-')
			slug[n++] = tun.session[i];
}

static void
too_late(void)
{
	struct msg_granted	granted;
	struct msg_api_result	result;
	struct msg_ctl_done	done;
	struct far		*desk = drive_spawn(ROLE_CONTROL, 0);
	struct far		*other = drive_spawn(ROLE_PROXYD, 0);
	struct tunnel		t = tun;

	hold(1);
	grant_say(proxyd);
	say_id(other->fd, next_id(other), api, .op = API_SESSION_LIST,
	    .token = token, .addr = "192.0.2.7");
	login_send(proxyd, &t, "1", "", "192.0.2.1");
	ok(t.mux != NULL, "a connection is admitted without the store");
	say_id(desk->fd, next_id(desk), ctl, .version = CTL_VERSION,
	    .op = CTL_SYSTEM_LIST);
	is_int(become(4), 4, "four wait for the store");
	drive_clock(&authd, FACTS_MS);
	(void)hear(proxyd->fd, granted, &granted);
	is_int(granted.status, 503, "a grant: %s", granted.message);
	(void)hear(other->fd, api_result, &result);
	is_int(result.status, 503, "a call of the API: %s", result.message);
	login_wait(&t);
	ok(t.status == 503 && t.retry > 0, "a login: %s", t.message);
	is_int(become(1), 1, "relayctl has more time");
	drive_clock(&authd, QUESTION_MS - FACTS_MS);
	(void)hear(desk->fd, ctl_done, &done);
	is_int(done.code, 503, "then hears it too: %s", done.text);
	is_int(become(0), 0, "nothing waits any more");
	ok(drive_logs(&authd, "store: slow:"), "the log says so");
	hold(0);
	far_close(t.mux);
	far_close(desk);
	far_close(other);
}

static void
too_many(void)
{
	struct far		*other = drive_spawn(ROLE_PROXYD, 0);
	struct msg_granted	 in;
	int			 i, good = 0;

	hold(1);
	for (i = 0; i <= WAITING_MAX; i++)
		grant_say(proxyd);
	(void)hear(proxyd->fd, granted, &in);
	is_int(in.status, 503, "one question too many: %s", in.message);
	grant_say(other);
	is_int(become(WAITING_MAX + 1), WAITING_MAX + 1, "another process's waits");
	hold(0);
	for (i = 0; i < WAITING_MAX; i++) {
		(void)hear(proxyd->fd, granted, &in);
		good += in.status == 0;
	}
	is_int(good, WAITING_MAX, "all that waited are answered");
	(void)hear(other->fd, granted, &in);
	is_int(in.status, 0, "the other's too");
	is_int(become(0), 0, "nothing waits any more");
	far_close(other);
}

/* Who asked goes; the answer that comes finds nobody. */
static void
gone(void)
{
	struct far	*other = drive_spawn(ROLE_PROXYD, 0);
	struct tunnel	 t = tun;

	hold(1);
	grant_say(other);
	login_send(other, &t, "2", "", "192.0.2.1");
	is_int(become(2), 2, "two wait");
	far_close(other);
	far_close(t.mux);
	hold(0);
	is_int(become(0), 0, "their answers find nobody");
	is_int(world_sql("SELECT count(*) FROM support_sessions WHERE "
	    "node_id = '2'"), 0, "and nothing came of them");
}

int
main(void)
{
	setenv("RELAYD_STORE_LATE", "1", 1);
	/* A thousand questions may take longer than one of them may wait. */
	setenv("RELAYD_CLOCK_SLOW", "50", 1);
	authd_init();
	authd_start(1);
	control = drive_spawn(ROLE_CONTROL, 0);
	proxyd = drive_spawn(ROLE_PROXYD, 0);
	story();
	too_late();
	too_many();
	gone();
	far_close(tun.mux);
	far_close(proxyd);	/* which it would wait for */
	is_int(authd_stop(), 0, "authd stops in order");
	far_close(control);
	free(token);
	return (done_testing());
}
