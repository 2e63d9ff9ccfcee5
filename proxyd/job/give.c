/* SPDX-License-Identifier: ISC */
/*
 * Tunnels, terminals and TCP: authd is asked first, so that 429 and 503 can still
 * be said here; then the connection with all its bytes goes to the parent.
 */
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "base/uuid.h"
#include "proxyd/authd.h"
#include "proxyd/door/conn.h"
#include "proxyd/http/hdr.h"
#include "proxyd/refused.h"
#include "http/head.h"
#include "imsg/imsg.h"
#include "base/log.h"
#include "imsg/msg.h"
#include "proc/proc.h"
#include "give.h"
#include "metrics/count.h"
#include "http/upgrade.h"
#include "ws/ws.h"

#define TICKET_TEXT	TICKET_SIZE
#define WAIT_MS		15000	/* what is asked has a deadline of its own */

static int	admitted(struct chan *, struct imsg *, void *);

/* The job: what is asked about the connection. */
struct give {
	struct call	 call;
	struct httphead	*head;
	uint8_t		 class;
};

static struct give *
give_of(const struct conn *c)
{
	return (c->work);
}

static void
give_expired(struct conn *c)
{
	conn_deadline(c, WAIT_MS);
}

static void
give_end(struct conn *c)
{
	struct give	*g = give_of(c);

	call_cancel(&g->call);
	free(g->head);
	free(g);
}

static const struct job_ops	giving = {
	.name = "give",
	.expired = give_expired,
	.end = give_end,
};

static int
ask(struct conn *c, const struct httphead *h, uint8_t class,
    const struct msg_admit *what)
{
	struct chan	*ch = link_chan();
	struct give	*g;
	struct msg_admit in = *what;
	char		 addr[ADDR_SIZE];

	c->keep = 0;
	if ((g = calloc(1, sizeof(*g))) == NULL) {
		answer_later(c, 503, "service temporarily unavailable", 5);
		return (-1);
	}
	g->class = class;
	conn_job(c, &giving, g);
	addr_print(&c->addr, addr);
	in.class = class;
	in.addr = addr;
	in.request = c->request;
	if ((g->head = hdr_keep(h)) == NULL ||
	    call_start(&g->call, ch, AUTHD_CALL_MS, admitted, c) == 0 ||
	    say_admit(ch, g->call.id, -1, &in) == -1) {
		answer_later(c, 503, "service temporarily unavailable", 5);
		return (-1);
	}
	return (0);
}

/* The connection leaves this process. */
static void
give(struct conn *c, uint64_t nonce, uint64_t instance)
{
	struct chan	*parent = proc_parent();
	char		 addr[ADDR_SIZE], accept[WS_ACCEPT_LEN + 1];
	int		 fd;

	if (c->in->len > GIVE_BYTES_MAX) {
		c->body_left = 1;
		refused(c, ALONE_BODY);
		answer_error(c, 400, "too much was sent before the answer");
		return;
	}
	if (ws_accept_key(upgrade_key(give_of(c)->head), accept) == -1) {
		answer_later(c, 503, "service temporarily unavailable", 5);
		return;
	}
	addr_print(&c->addr, addr);
	fd = conn_detach(c);
	(void)say_give(parent, 0, fd, &(struct msg_give){
	    .class = give_of(c)->class, .nonce = nonce, .instance = instance,
	    .addr = addr, .accept = accept, .request = c->request,
	    .bytes = { c->in->data + c->in->off, c->in->len } });
	conn_close(c, "given away", 0);
}

/* tunnel-protocol.md, 1.5: row 1 was authd's; then 9, 10 and 7. */
static int
tunnel_good(struct conn *c, const struct httphead *h)
{
	char	node[UPGRADE_NODE_SIZE];

	if (upgrade_check(h) != 0) {
		refused(c, ALONE_UPGRADE);
		answer_json(c, 400, "websocket upgrade required", NULL, 0,
		    "Sec-WebSocket-Version: 13\r\n");
	} else if (upgrade_no_origin(h) != 0) {
		refused(c, ALONE_ORIGIN);
		answer_json(c, 403, "origin not allowed", NULL, 0,
		    "Sec-WebSocket-Version: 13\r\n");
	} else if (upgrade_node_id(h, node) != 0) {
		refused(c, ALONE_NODE);
		answer_error(c, 400, "invalid node_id format");
	} else
		return (1);
	return (0);
}

/* All that can be wrong with it was looked at before authd was asked. */
static int
terminal_good(struct conn *c, const struct httphead *h)
{
	(void)c;
	(void)h;
	return (1);
}

static int
tcp_good(struct conn *c, const struct httphead *h)
{
	return (terminal_good(c, h));
}

/* 1; 0: it is not, and answered. */
static int	(*const good[CLASS_COUNT])(struct conn *,
		    const struct httphead *) = {
#define K(NAME, word, ROLE, startups, full)	[CLASS_##NAME] = word##_good,
#include "proc/classes.def"
#undef K
};

static int
admitted(struct chan *ch, struct imsg *m, void *arg)
{
	struct msg_admitted	 in;
	struct conn		*c = arg;
	const struct give	*g = give_of(c);
	int			 r = m == NULL ? 0 : get_admitted(m, &in);

	(void)ch;
	count((g->class == CLASS_TUNNEL ? CT_ADMIT_TUNNEL_OK :
	    g->class == CLASS_TCP ? CT_ADMIT_TCP_OK :
	    CT_ADMIT_TERMINAL_OK) + metric_outcome(m == NULL || r == -1 ? 503 :
	    in.status));
	if (m == NULL || r == -1)
		answer_later(c, 503, "service temporarily unavailable", 5);
	else if (in.status != 0)
		answer_later(c, in.status, in.message, in.retry_s);
	else if (good[g->class](c, g->head))
		give(c, in.nonce, in.instance);
	return (r);
}

void
give_tunnel(struct conn *c, const struct httphead *h)
{
	(void)ask(c, h, CLASS_TUNNEL, &(struct msg_admit){ .session = "",
	    .ticket = "", .origin = "", .service = "" });
}

/* operator-api.md, 6.2 */
static void
give_visit(struct conn *c, const struct httphead *h, uint8_t class,
    const struct slice *id, const char *service)
{
	const struct slice	*v;
	char			 ticket[TICKET_TEXT], origin[HOST_SIZE] = "";
	char			 session[UUID_SIZE] = "";
	int			 n;

	if (upgrade_check(h) != 0) {
		refused(c, ALONE_UPGRADE);
		answer_json(c, 400, "websocket upgrade required", NULL, 0,
		    "Sec-WebSocket-Version: 13\r\n");
		return;
	}
	if ((v = httphead_get(h, "origin")) != NULL) {
		if (v->len >= sizeof(origin)) {
			refused(c, ALONE_ORIGIN);
			answer_error(c, 403, "origin not allowed");
			return;
		}
		memcpy(origin, v->s, v->len);
		origin[v->len] = '\0';
	}
	n = upgrade_query_get(&h->query, "ticket", ticket, sizeof(ticket));
	if (n == UPGRADE_Q_NONE || n == 0) {
		refused(c, ALONE_TICKET);
		answer_error(c, 401, "ticket required");
		return;
	}
	if (n < 0) {
		refused(c, ALONE_TICKET);
		answer_error(c, 401, "invalid or expired ticket");
		return;
	}
	if (uuid_is(id->s, id->len)) {
		memcpy(session, id->s, id->len);
		session[id->len] = '\0';
	}
	(void)ask(c, h, class, &(struct msg_admit){ .session = session,
	    .ticket = ticket, .origin = origin, .service = service });
	explicit_bzero(ticket, sizeof(ticket));
}

void
give_terminal(struct conn *c, const struct httphead *h, const struct slice *id)
{
	give_visit(c, h, CLASS_TERMINAL, id, "");
}

/* A name that is none is nobody's, and authd says so. */
void
give_tcp(struct conn *c, const struct httphead *h, const struct slice *id,
    const struct slice *service)
{
	char	name[SERVICE_SIZE] = "";

	if (service->len < sizeof(name)) {
		memcpy(name, service->s, service->len);
		name[service->len] = '\0';
	}
	give_visit(c, h, CLASS_TCP, id, name);
}
