/* SPDX-License-Identifier: ISC */
/* What a process that was broken into, or a wicked customer, gains by it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "authd_drive.h"
#include "compat.h"
#include "tap.h"

#define WAIT_MS	2000

static struct peer	*proxyd, *control;
static struct rows	 rows;
static char		*token;

/* How many of this type come before nothing comes for a while? */
static unsigned
count_of(struct peer *p, uint32_t type, unsigned enough)
{
	struct imsg	m;
	unsigned	n = 0;
	int		r;

	while (n < enough && (r = get_any(p, &m, WAIT_MS)) > 0) {
		if (m.fd != -1)
			close(m.fd);
		n += r == (int)type;
	}
	return (n);
}

static void
tunnel_new(struct tunnel *t, unsigned services)
{
	system_add(control, t, "");
	login(proxyd, t, "", "", "192.0.2.1");
	up(t, services);
}

static void
proxy_token(const struct tunnel *t, const char *operator, char dst[TOKEN_SIZE])
{
	struct api	a = { .token = operator, .session = t->session,
	    .service = "s0" };

	if (api(proxyd, API_PROXY_TOKEN, &a) != 200)
		diag("no proxy token: %s", api_message);
	strlcpy(dst, api_str("token"), TOKEN_SIZE);
}

/* --- ends that have to reach everybody --- */

static void
recheck(void)
{
	struct tunnel	 t;
	struct granted	 g;
	char		 seller[ID_SIZE], client[ID_SIZE], proxy[TOKEN_SIZE];
	char		*tok;
	int		 i, good = 0;

	ctl(control, &rows, CTL_ORG_ADD, "Seller", "reseller", "", CTL_END);
	strlcpy(seller, cell(&rows, 1, "id"), sizeof(seller));
	rows_free(&rows);
	ctl(control, &rows, CTL_ORG_ADD, "Client", "customer", seller, CTL_END);
	strlcpy(client, cell(&rows, 1, "id"), sizeof(client));
	rows_free(&rows);
	system_add(control, &t, client);
	login(proxyd, &t, "", "", "192.0.2.1");
	up(&t, 1);
	tok = operator_token(control, "bob", seller, "reseller", "");
	proxy_token(&t, tok, proxy);
	for (i = 0; i < 16; i++) {
		grant(proxyd, proxy, t.session, &g);
		good += g.status == 0;
	}
	is_int(good, 16, "sixteen grants of a reseller");
	ctl(control, &rows, CTL_ORG_REMOVE, client, CTL_END);
	rows_free(&rows);
	is_int(count_of(proxyd, IMSG_GRANT_END, 16), 16,
	    "operator-6(partial): the customer goes: every grant ends");
	peer_close(t.mux);
	free(tok);
}

/* A system is disabled while its second login waits for the first's life. */
static void
probe_disabled(void)
{
	struct tunnel	t, u;
	struct imsg	m;
	uint32_t	id;

	tunnel_new(&t, 0);
	u = t;
	login_send(proxyd, &u, "", "", "192.0.2.1");
	get_type(t.mux, IMSG_PROBE, &m);
	id = m.id;
	ctl(control, &rows, CTL_SYSTEM_DISABLE, t.key, CTL_END);
	rows_free(&rows);
	get_type(t.mux, IMSG_CLOSE, &m);
	put_begin(IMSG_ALIVE, id);
	put_u8(0);
	put_send(t.mux, -1);
	login_wait(&u);
	is_int(u.status, 403,
	    "disabled while a login waits: 403");
	is_int(drive_sql("SELECT count(*) FROM support_sessions WHERE "
	    "system_id = '%s' AND status IN ('pending', 'active')", t.system),
	    0, "and no session");
	peer_close(t.mux);
	peer_close(u.mux);
}

/* --- muxd --- */

/* A muxd that was refused has nothing to say any more. */
static void
refused(void)
{
	struct tunnel	t;

	system_add(control, &t, "");
	t.secret[strlen(t.secret) - 1] ^= 1;
	login(proxyd, &t, "", "", "192.0.2.1");
	is_int(t.status, 401, "a wrong secret: 401");
	put_begin(IMSG_CREDIT_ASK, 9);
	put_u32(64);
	put_send(t.mux, -1);
	is_int(count_of(&parent, IMSG_OFFENCE, 1), 1,
	    "credit for a muxd that was refused: an offence");
	is_int(get_end(t.mux), 0, "its channel ends");
	peer_close(t.mux);
}

int
main(void)
{
	drive_init();
	drive_start(1);
	control = drive_spawn(ROLE_CONTROL, 0);
	proxyd = drive_spawn(ROLE_PROXYD, 0);
	token = operator_token(control, "alice", "", "owner", "");
	recheck();
	probe_disabled();
	refused();
	is_int(drive_stop(), 0, "authd stops in order");
	peer_close(proxyd);
	peer_close(control);
	free(token);
	return (done_testing());
}
