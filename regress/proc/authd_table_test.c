/* SPDX-License-Identifier: ISC */
/*
 * A walk over authd's dispatch table: every row with each wrong role, in a
 * wrong state, a byte short, a byte long, with a descriptor it should not have.
 * Each is said to the real program, which has to give the sender's name to the
 * parent and serve on.
 */
#include <sys/socket.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "authd/msg/table.h"
#include "regress/lib/authd_story.h"
#include "base/compat.h"
#include "regress/lib/tap.h"
#include "regress/lib/walk.h"

static struct far	*proxyd, *control;
static struct tunnel	 neighbour, fresh;

/* What is said of an offender, or "" when nobody complains. */
static const char *
offence(struct far *p)
{
	static struct msg_offence	in;

	if (get_end(p) == -1)
		return ("");
	do {
		(void)hear(parent.fd, offence, &in);
	} while (in.instance != p->instance);
	return (in.reason);
}

/* A peer of this role in the state that the row wants. */
static struct far *
peer_for(int role, uint32_t states)
{
	if (role == ROLE_TERMD && !(states & S(P_READY)))
		return (drive_spawn(ROLE_TERMD, 12345));	/* P_AGAIN */
	if (role != ROLE_MUXD)
		return (drive_spawn(role, 0));
	if (states & S(P_NEW))
		return (drive_spawn(ROLE_MUXD, 0));
	if ((states & S(P_AGAIN)) && !(states & S(P_UP)))
		return (drive_spawn_bound(ROLE_MUXD, 70000 +
		    (uint64_t)next_id(&parent), fresh.system, fresh.session,
		    1000000 + (uint64_t)next_id(&parent)));
	login(proxyd, &fresh, "", "", "192.0.2.1");
	if (!(states & S(P_BOUND)) || (states & S(P_UP)))
		up(&fresh, 0);
	return (fresh.mux);
}

static int
socket_fd(void)
{
	int	sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == -1)
		return (-1);
	close(sv[1]);
	return (sv[0]);
}

static void
complaint(struct far *p, const char *want, const char *what,
    const struct dispatch *d)
{
	const char	*said = offence(p);

	ok(strstr(said, want) != NULL, "%s %s: %s", imsg_name(d->type), what,
	    said);
	far_close(p);
}

static void
bent(const struct dispatch *d, const struct bent *b)
{
	static const char *const	wants[BENDS] = {
		[BEND_ROLE] = "not for this role",
		[BEND_STATE] = "not in this state",
		[BEND_SHORT] = "too short", [BEND_LONG] = "too long",
		[BEND_LEFT] = "malformed", [BEND_FD] = "surplus descriptor",
		[BEND_NO_FD] = "descriptor", [BEND_NO_ID] = "no request id" };
	struct far			*p;
	char				 what[64];

	if (wants[b->how] == NULL || (b->how == BEND_LEFT && d->fn == NULL))
		return;
	snprintf(what, sizeof(what), "%s", b->word);
	if (b->how == BEND_ROLE) {
		if (b->role != ROLE_MUXD && b->role != ROLE_PROXYD &&
		    b->role != ROLE_TERMD && b->role != ROLE_CONTROL)
			return;
		snprintf(what, sizeof(what), "from %s", role_name(b->role));
	}
	if (b->how == BEND_STATE) {
		if (b->role != ROLE_MUXD || b->state != P_NEW)
			return;
		snprintf(what, sizeof(what), "before login");
	}
	p = b->how == BEND_ROLE || b->how == BEND_STATE ?
	    drive_spawn(b->role, 0) : peer_for(b->role, d->states);
	walk_say(p->fd, d, b, socket_fd());
	complaint(p, wants[b->how], what, d);
}

/* Not by the table but by the handlers: what may not be said twice, or yet. */
static void
sequences(void)
{
	struct far	*p;
	uint64_t	 nonce;
	int		 i;

	nonce = admit(proxyd, "192.0.2.1", NULL);
	p = drive_spawn(ROLE_MUXD, nonce);
	say_id(p->fd, 1, login, .nonce = nonce + 1, .key = "x", .secret = "x",
	    .node = "x", .reconnect = "x", .addr = "x");
	ok(strstr(offence(p), "malformed") != NULL,
	    "a login with another's nonce ends its sender");
	far_close(p);
	nonce = admit(proxyd, "192.0.2.1", NULL);
	p = drive_spawn(ROLE_MUXD, nonce);
	for (i = 0; i < 2; i++) {
		say_id(p->fd, 1, login, .nonce = nonce, .key = "key",
		    .secret = "secret", .addr = "192.0.2.1");
	}
	ok(strstr(offence(p), "not in this state") != NULL,
	    "a second login ends its sender");
	far_close(p);
	p = peer_for(ROLE_MUXD, S(P_UP));
	say(p->fd, services_end);
	ok(offence(p)[0] != '\0', "a table's end without a beginning");
	far_close(p);
	p = peer_for(ROLE_MUXD, S(P_UP));
	say(p->fd, report_begin, .kind = REPORT_DIAGNOSTICS, .total = 524289);
	ok(offence(p)[0] != '\0',
	    "tunnel-34(partial): 512 KiB + 1 of diagnostics");
	far_close(p);
	p = peer_for(ROLE_MUXD, S(P_UP));
	say(p->fd, services_begin, .version = 1, .count = 501);
	ok(offence(p)[0] != '\0',
	    "tunnel-29(partial): a table of 501 is not announced");
	far_close(p);
	p = peer_for(ROLE_MUXD, S(P_UP));
	say_id(p->fd, 777, alive, .alive = 1);
	say_id(p->fd, 5, credit_ask, .mib = 3);
	(void)hear(p->fd, credit, NULL);
	ok(1, "a late answer is dropped");
	far_close(p);
}

int
main(void)
{
	struct rows	rows;

	authd_init();
	authd_start(1);
	control = drive_spawn(ROLE_CONTROL, 0);
	proxyd = drive_spawn(ROLE_PROXYD, 0);
	system_add(control, &neighbour, "");
	login(proxyd, &neighbour, "", "", "192.0.2.1");
	up(&neighbour, 1);
	system_add(control, &fresh, "");
	login(proxyd, &fresh, "", "", "192.0.2.1");
	up(&fresh, 0);
	far_close(fresh.mux);
	walk_table(peer_table, peer_rows, bent);
	sequences();
	is_int(get_none(neighbour.mux, IMSG_CLOSE), 0,
	    "the neighbour's tunnel is where it was");
	is_int(ctl(control, &rows, CTL_SHOW_TUNNELS, CTL_END), 0,
	    "and authd answers");
	rows_free(&rows);
	is_int(authd_stop(), 0, "authd stops in order");
	far_close(neighbour.mux);
	far_close(proxyd);
	far_close(control);
	return (done_testing());
}
