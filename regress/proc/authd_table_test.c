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
#include "regress/lib/authd_drive.h"
#include "base/compat.h"
#include "regress/lib/fields.h"
#include "regress/lib/tap.h"

static struct far	*proxyd, *control;
static struct tunnel	 neighbour, fresh;

/* What is said of an offender, or "" when nobody complains. */
static const char *
offence(struct far *p)
{
	static char	reason[256];
	struct imsg	m;
	uint64_t	instance = 0;

	reason[0] = '\0';
	if (get_end(p) == -1)
		return ("");
	do {
		get_type(&parent, IMSG_OFFENCE, &m);
		if (m_get_u64(&m, &instance) == -1 ||
		    m_get_str(&m, reason, sizeof(reason)) == -1)
			return ("");
	} while (instance != p->instance);
	return (reason);
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

static void
say(struct far *p, const struct dispatch *d, size_t len, int fd)
{
	static uint8_t	zero[IMSG_MAX];
	size_t		i;

	put_begin(d->type, 1);
	for (i = 0; i < len; i++)
		put_u8(zero[i]);
	put_send(p, fd);
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

static int
role_of(const struct dispatch *d)
{
	static const int	roles[] = { ROLE_MUXD, ROLE_PROXYD, ROLE_TERMD,
	    ROLE_CONTROL };
	size_t			i;

	for (i = 0; i < 4; i++)
		if (d->roles & ROLE_BIT(roles[i]))
			return (roles[i]);
	return (ROLE_NONE);
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
wrong_roles(const struct dispatch *d)
{
	static const int	roles[] = { ROLE_MUXD, ROLE_PROXYD, ROLE_TERMD,
	    ROLE_CONTROL };
	struct far		*p;
	char			 what[64];
	size_t			 i, j;
	uint32_t		 allowed = 0;

	for (j = 0; j < peer_rows; j++)
		if (peer_table[j].type == d->type)
			allowed |= peer_table[j].roles;
	for (i = 0; i < 4; i++) {
		if (allowed & ROLE_BIT(roles[i]))
			continue;
		p = drive_spawn(roles[i], 0);
		say(p, d, msg_info(d->type)->min, -1);
		snprintf(what, sizeof(what), "from %s", role_name(roles[i]));
		complaint(p, "not for this role", what, d);
	}
}

static void
walk(const struct dispatch *d)
{
	int		role = role_of(d);
	struct far	*p;

	wrong_roles(d);
	if (role == ROLE_MUXD && !(d->states & S(P_NEW))) {
		p = drive_spawn(ROLE_MUXD, 0);
		say(p, d, msg_info(d->type)->min, -1);
		complaint(p, "not in this state", "before login", d);
	}
	if (msg_info(d->type)->min > 0) {
		p = peer_for(role, d->states);
		say(p, d, msg_info(d->type)->min - 1, -1);
		complaint(p, "too short", "a byte short", d);
	}
	p = peer_for(role, d->states);
	say(p, d, msg_info(d->type)->max + 1, -1);
	complaint(p, "too long", "a byte long", d);
	if (msg_info(d->type)->max > msg_info(d->type)->min && d->fn != NULL) {
		p = peer_for(role, d->states);
		say(p, d, msg_info(d->type)->min + 1, -1);
		complaint(p, "malformed", "with a byte left over", d);
	}
	p = peer_for(role, d->states);
	say(p, d, msg_info(d->type)->min, socket_fd());
	complaint(p, "surplus descriptor", "with a descriptor", d);
	if (!(d->flags & (MF_REQUEST | MF_ANSWER)))
		return;
	p = peer_for(role, d->states);
	put_begin(d->type, 0);
	for (uint32_t i = 0; i < msg_info(d->type)->min; i++)
		put_u8(0);
	put_send(p, -1);
	complaint(p, "no request id", "without an id", d);
}

/* Not by the table but by the handlers: what may not be said twice, or yet. */
static void
sequences(void)
{
	struct far	*p;
	struct imsg	 m;
	uint64_t	 nonce;
	int		 i;

	nonce = admit(proxyd, "192.0.2.1", NULL);
	p = drive_spawn(ROLE_MUXD, nonce);
	put_begin(IMSG_LOGIN, 1);
	put_u64(nonce + 1);
	for (i = 0; i < 5; i++)
		put_str("x");
	put_send(p, -1);
	ok(strstr(offence(p), "malformed") != NULL,
	    "a login with another's nonce ends its sender");
	far_close(p);
	nonce = admit(proxyd, "192.0.2.1", NULL);
	p = drive_spawn(ROLE_MUXD, nonce);
	for (i = 0; i < 2; i++) {
		put_begin(IMSG_LOGIN, 1);
		put_u64(nonce);
		put_str("key");
		put_str("secret");
		put_str("");
		put_str("");
		put_str("192.0.2.1");
		put_send(p, -1);
	}
	ok(strstr(offence(p), "not in this state") != NULL,
	    "a second login ends its sender");
	far_close(p);
	p = peer_for(ROLE_MUXD, S(P_UP));
	put_begin(IMSG_SERVICES_END, 0);
	put_send(p, -1);
	ok(offence(p)[0] != '\0', "a table's end without a beginning");
	far_close(p);
	p = peer_for(ROLE_MUXD, S(P_UP));
	put_begin(IMSG_REPORT_BEGIN, 0);
	put_u8(REPORT_DIAGNOSTICS);
	put_u32(524289);
	put_send(p, -1);
	ok(offence(p)[0] != '\0',
	    "tunnel-34(partial): 512 KiB + 1 of diagnostics");
	far_close(p);
	p = peer_for(ROLE_MUXD, S(P_UP));
	put_begin(IMSG_SERVICES_BEGIN, 0);
	put_u32(1);
	put_u32(501);
	put_str("");
	put_send(p, -1);
	ok(offence(p)[0] != '\0',
	    "tunnel-29(partial): a table of 501 is not announced");
	far_close(p);
	p = peer_for(ROLE_MUXD, S(P_UP));
	put_begin(IMSG_ALIVE, 777);
	put_u8(1);
	put_send(p, -1);
	put_begin(IMSG_CREDIT_ASK, 5);
	put_u32(3);
	put_send(p, -1);
	get_type(p, IMSG_CREDIT, &m);
	ok(1, "a late answer is dropped");
	far_close(p);
}

int
main(void)
{
	struct rows	rows;
	size_t		i;

	drive_init();
	drive_start(1);
	control = drive_spawn(ROLE_CONTROL, 0);
	proxyd = drive_spawn(ROLE_PROXYD, 0);
	system_add(control, &neighbour, "");
	login(proxyd, &neighbour, "", "", "192.0.2.1");
	up(&neighbour, 1);
	system_add(control, &fresh, "");
	login(proxyd, &fresh, "", "", "192.0.2.1");
	up(&fresh, 0);
	far_close(fresh.mux);
	for (i = 0; i < peer_rows; i++)
		walk(&peer_table[i]);
	sequences();
	is_int(get_none(neighbour.mux, IMSG_CLOSE), 0,
	    "the neighbour's tunnel is where it was");
	is_int(ctl(control, &rows, CTL_SHOW_TUNNELS, CTL_END), 0,
	    "and authd answers");
	rows_free(&rows);
	is_int(drive_stop(), 0, "authd stops in order");
	far_close(neighbour.mux);
	far_close(proxyd);
	far_close(control);
	return (done_testing());
}
