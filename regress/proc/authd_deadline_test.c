/* SPDX-License-Identifier: ISC */
/*
 * Workers that do not do what they are told: authd has a deadline for each,
 * and has the parent end who lets it pass.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "regress/lib/authd_story.h"
#include "regress/lib/tap.h"

#define COME_MS		30000
#define GO_MS		5000
#define KILLED_MS	10000

static struct far	*proxyd, *control;
static struct rows	 rows;
static char		*token;

static int
has_ended(struct far *p)
{
	struct imsg	m;
	int		r;

	while ((r = hear_any(p->fd, &m, 0)) > 0)
		shut(&m.fd);
	return (r == -1);
}

/* Not a moment before `ms`, then OFFENCE, and its channel has ended. */
static void
ends_after(struct far *p, uint64_t ms, const char *what)
{
	struct msg_offence	in;

	drive_clock(&authd, ms - 500);
	ok(!has_ended(p), "%s: not before its time", what);
	drive_tick(&authd, 501);
	(void)hear(parent.fd, offence, &in);
	ok(in.instance == p->instance, "%s: ended: %s", what, in.reason);
	is_int(get_end(p), 0, "%s: nothing more is heard of it", what);
	far_close(p);
}

static void
silent(void)
{
	struct tunnel	t;
	int		status;

	ends_after(drive_spawn(ROLE_MUXD, admit(proxyd, "192.0.2.1",
	    &status)), COME_MS, "a muxd that never logs in");
	system_add(control, &t, "");
	login(proxyd, &t, "", "", "192.0.2.1");
	ends_after(t.mux, COME_MS, "one that never comes up");
	t.secret[strlen(t.secret) - 1] ^= 1;
	login(proxyd, &t, "", "", "192.0.2.1");
	is_int(t.status, 401, "a login is refused");
	ends_after(t.mux, GO_MS, "a muxd that does not go then");
}

/* A tunnel with one service. */
static void
begin(struct tunnel *t)
{
	system_add(control, t, "");
	login(proxyd, t, "", "", "192.0.2.1");
	up(t, 1);
}

static void
closed(void)
{
	struct tunnel	t;

	begin(&t);
	drive_clock(&authd, COME_MS + 1);
	is_int(ctl(control, &rows, CTL_CLOSE, t.session, CTL_END), 0,
	    "who is up has no deadline; its session is closed");
	rows_free(&rows);
	(void)hear(t.mux->fd, close, NULL);
	ends_after(t.mux, GO_MS, "a muxd that ignores CLOSE");
	is_int(stat_of(control, "tunnels"), 0, "no tunnel is left");
}

static void
ticket(const struct tunnel *t, char dst[TICKET_SIZE])
{
	struct api	a = { .token = token, .session = t->session };

	if (api(proxyd, API_TERMINAL_TICKET, &a) != 200)
		bail("no ticket");
	strlcpy(dst, api_str("ticket"), TICKET_SIZE);
}

static struct far *
terminal(const struct tunnel *t)
{
	struct msg_admitted	in;
	char			text[TICKET_SIZE];

	ticket(t, text);
	say_id(proxyd->fd, next_id(proxyd), admit, .class = CLASS_TERMINAL,
	    .addr = "192.0.2.50", .session = t->session, .ticket = text);
	(void)hear(proxyd->fd, admitted, &in);
	return (drive_spawn(ROLE_TERMD, in.nonce));
}

/* One stream is killed, and its muxd goes on with it. */
static void
killed(void)
{
	struct tunnel	t;
	struct opened	term = { .fd = -1, .mux_fd = -1 };
	struct far	*termd;

	begin(&t);
	termd = terminal(&t);
	close(hear(termd->fd, term_stream, NULL)->fd);
	bridge_take(t.mux, &term, "terminal");
	world_sql("INSERT INTO revocations (kind, id, until) VALUES ('user', "
	    "'alice', 9000000000000)");
	drive_clock(&authd, 60001);
	(void)hear(t.mux->fd, stream_kill, NULL);
	(void)hear(termd->fd, close, NULL);
	ends_after(termd, GO_MS, "a termd that ignores CLOSE");
	ends_after(t.mux, KILLED_MS - GO_MS, "a muxd that keeps a stream");
	opened_close(&term);
	world_sql("DELETE FROM revocations");
}

static void
refused(void)
{
	struct tunnel	t;
	struct far	*termd;

	begin(&t);
	termd = terminal(&t);
	close(hear(termd->fd, term_stream, NULL)->fd);
	far_close(termd);
	termd = drive_spawn(ROLE_TERMD, admit(proxyd, "192.0.2.1", NULL));
	(void)hear(termd->fd, term_refuse, NULL);
	ends_after(termd, GO_MS, "a termd that is refused");
	far_close(t.mux);
}

/* After a restart one is silent about what it has; one says too much. */
static void
kept(void)
{
	struct tunnel		t, u;
	struct msg_offence	in;

	begin(&t);
	begin(&u);
	drive_sync(control);
	far_close(proxyd);
	far_close(control);
	drive_kill(&authd);
	authd_start(0);
	control = drive_spawn(ROLE_CONTROL, 0);
	proxyd = drive_spawn(ROLE_PROXYD, 0);
	rebind(&t);
	rebind(&u);
	say(parent.fd, spawned_all);
	drive_sync(control);
	say(u.mux->fd, announce, .up = 1, .streams = 4096 + 1024 + 1);
	(void)hear(parent.fd, offence, &in);
	ok(in.instance == u.mux->instance, "one that would announce more "
	    "streams than there can be: %s", in.reason);
	far_close(u.mux);
	ends_after(t.mux, COME_MS, "a kept muxd that tells nothing");
}

int
main(void)
{
	authd_init();
	authd_scene(&control, &proxyd, &token);
	silent();
	closed();
	killed();
	refused();
	kept();
	is_int(authd_scene_end(control, proxyd, token), 0,
	    "authd stops in order");
	return (done_testing());
}
