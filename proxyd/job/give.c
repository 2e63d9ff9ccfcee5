/* SPDX-License-Identifier: ISC */
/*
 * Tunnels, terminals and TCP: authd is asked first, so that 429 and 503 can
 * still be said here; then the connection with all its bytes goes to the
 * parent.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "answer.h"
#include "base/compat.h"
#include "proxyd/authd.h"
#include "proxyd/door/conn.h"
#include "proxyd/http/hdr.h"
#include "proxyd/refused.h"
#include "proxyd/tried.h"
#include "http/head.h"
#include "imsg/imsg.h"
#include "base/log.h"
#include "imsg/msg.h"
#include "proc/proc.h"
#include "give.h"
#include "metrics/count.h"
#include "proxyd/http/glob.h"
#include "proxyd/moving.h"
#include "rendezvous.h"
#include "http/upgrade.h"
#include "whose.h"
#include "ws/ws.h"

#define TICKET_TEXT	TICKET_SIZE
#define WAIT_MS		15000	/* what is asked has a deadline of its own */

static void	give_no(struct conn *, int, const char *, uint32_t);
static int	admitted(struct chan *, struct imsg *, void *);

/* The job: what is asked about the connection. */
struct give {
	struct call	 call;
	struct httphead	*head;
	uint8_t		 class;
	struct slice	 host;		/* CLASS_RELAY: by which it was called */
	int		 bare;		/* an existing back end reads why not */
	char		 session[UUID_SIZE];	/* of that; else "" */
	char		 cors[CORS_MAX];
	struct tried	 tried;		/* CLASS_RELAY: a token, for that */
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

#define CARRIER	"swsrs.token."	/* a subprotocol that carries a token: D13 */

/*
 * The first offered subprotocol that carries no token (`carrier` 0), or does.
 */
static struct slice
offered(const struct httphead *h, int carrier)
{
	const struct slice	*v = httphead_get(h, "Sec-WebSocket-Protocol");
	struct slice		 word = { NULL, 0 };
	const char		*p, *end;
	size_t			 n = sizeof(CARRIER) - 1;

	for (p = v != NULL ? v->s : NULL; p != NULL; p = end + 1) {
		if ((end = memchr(p, ',', v->len - (size_t)(p - v->s))) == NULL)
			end = v->s + v->len;
		for (word.s = p; word.s < end && *word.s == ' '; word.s++)
			;
		for (word.len = (size_t)(end - word.s); word.len > 0 &&
		    word.s[word.len - 1] == ' '; word.len--)
			;
		if (word.len > 0 && (word.len > n &&
		    memcmp(word.s, CARRIER, n) == 0) == carrier)
			return (word);
		if (end == v->s + v->len)
			break;
	}
	return ((struct slice){ NULL, 0 });
}

#define RESUMES	"relayd.resume.1"	/* rendezvous-protocol.md, 12 */

/* Does it want to be a leg that is taken up again? -1: its number is none. */
static int
resume_of(const struct httphead *h, uint64_t *seen)
{
	struct slice	 word = offered(h, 0);
	char		 text[21], *end;
	int		 n;

	*seen = 0;
	if (!slice_eq(&word, RESUMES))
		return (RESUME_NOT);
	n = upgrade_query_get(&h->query, "resume", text, sizeof(text));
	if (n == UPGRADE_Q_NONE)
		return (RESUME_FRESH);
	errno = 0;
	if (n <= 0 || text[strspn(text, "0123456789")] != '\0')
		return (-1);
	*seen = strtoull(text, &end, 10);
	return (errno == 0 && *end == '\0' ? RESUME_AGAIN : -1);
}

/* To a rendd, which reads no head: what is the 101, and what came behind it. */
static void
give_seat(struct conn *c, uint64_t nonce, uint64_t instance, const char *addr,
    const char *accept)
{
	static uint8_t	 bytes[GIVE_BYTES_MAX];
	struct slice	 word = offered(give_of(c)->head, 0);
	size_t		 early = c->in->len - give_of(c)->head->head_len;
	uint64_t	 seen;
	int		 n, fd, resume = resume_of(give_of(c)->head, &seen);

	n = snprintf((char *)bytes, sizeof(bytes),
	    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
	    "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n"
	    "%s%.*s%s\r\n", accept, word.len > 0 ? "Sec-WebSocket-Protocol: " :
	    "", (int)word.len, word.len > 0 ? word.s : "",
	    word.len > 0 ? "\r\n" : "");
	if (word.len > SERVICE_SIZE || (size_t)n > sizeof(bytes) - early) {
		give_no(c, 400, "too much was sent before the answer", 0);
		return;
	}
	memcpy(bytes + n, c->in->data + c->in->off +
	    give_of(c)->head->head_len, early);
	fd = conn_detach(c);
	(void)say_give(proc_parent(), 0, fd, &(struct msg_give){
	    .class = CLASS_RELAY, .nonce = nonce, .instance = instance,
	    .addr = addr, .accept = accept, .request = c->request,
	    .bytes = { bytes, (size_t)n + early },
	    .resume = (uint8_t)resume, .seen = seen });
	conn_close(c, "given away", 0);
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
	ws_accept_key(upgrade_key(give_of(c)->head), accept);
	addr_print(&c->addr, addr);
	if (give_of(c)->class == CLASS_RELAY) {
		give_seat(c, nonce, instance, addr, accept);
		return;
	}
	fd = conn_detach(c);
	(void)say_give(parent, 0, fd, &(struct msg_give){
	    .class = give_of(c)->class, .nonce = nonce, .instance = instance,
	    .addr = addr, .accept = accept, .request = c->request,
	    .bytes = { c->in->data + c->in->off, c->in->len } });
	conn_close(c, "given away", 0);
}

/*
 * Said no to because its session has just gone to another member: a back end's
 * is asked for once more, as a page is. A ticket is used up, and its session
 * waits for who has one (authd).
 */
static int
give_moved(struct conn *c, int status)
{
	if ((status != 404 && status != 503) || c->again || c->head_len == 0 ||
	    !moving_is(give_of(c)->session))
		return (0);
	give_end(c);
	conn_again(c);
	return (1);
}

/* No: in the words of whose it is. */
static void
give_no(struct conn *c, int status, const char *message, uint32_t retry_s)
{
	char		cors[CORS_MAX];
	uint32_t	wait;

	if (give_moved(c, status))
		return;
	if (give_of(c)->bare && status < 500) {
		answer_bare(c, status, message, retry_s);
		return;
	}
	if (give_of(c)->class != CLASS_RELAY) {
		answer_later(c, status, message, retry_s);
		return;
	}
	if ((status == 401 || status == 404) &&
	    (wait = tried_bad(&c->addr, &give_of(c)->tried)) > 0) {
		count(CT_LIMITED_REFUSED);
		status = 429;
		message = TRIED_TEXT;
		retry_s = wait;
	}
	strlcpy(cors, give_of(c)->cors, sizeof(cors));
	rendezvous_later(c, cors, status, message, retry_s);
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

/* rendezvous-protocol.md, section 4, in its order: NULL, it is an upgrade. */
static const char *
relay_wrong(const struct conn *c, const struct httphead *h, int *status,
    const char **extra)
{
	const struct slice	*v;

#define PROTOCOL	"WebSocket protocol violation: "
	*status = 426;
	*extra = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
	if (h->minor < 1)
		return (PROTOCOL "handshake request must be at least "
		    "HTTP/1.1");
	if (!httphead_has_token(h, "Connection", "upgrade"))
		return (PROTOCOL "Connection header does not contain Upgrade");
	if (!httphead_has_token(h, "Upgrade", "websocket"))
		return (PROTOCOL "Upgrade header does not contain websocket");
	*status = 405;
	*extra = "Allow: GET, HEAD\r\n";
	if (c->is_head)
		return (PROTOCOL "handshake request method is not GET");
	*status = 400;
	*extra = "Sec-WebSocket-Version: 13\r\n";
	v = httphead_get(h, "Sec-WebSocket-Version");
	if (v == NULL || !slice_eq(v, "13"))
		return ("unsupported WebSocket protocol version");
	*extra = NULL;
	if (upgrade_check(h) != 0)
		return (PROTOCOL "Sec-WebSocket-Key is not 16 bytes");
	return (NULL);
#undef PROTOCOL
}

static int
relay_good(struct conn *c, const struct httphead *h)
{
	const struct slice	*origin = httphead_get(h, "origin");
	const char		*why, *extra;
	char			 cors[CORS_MAX], text[HOST_SIZE * 2 + 64];
	struct slice		 own, host = give_of(c)->host;
	uint64_t		 seen;
	int			 status;

	strlcpy(cors, give_of(c)->cors, sizeof(cors));
	if ((why = relay_wrong(c, h, &status, &extra)) != NULL) {
		rendezvous_error(c, cors, status, why, extra);
		return (0);
	}
	if (resume_of(h, &seen) == -1) {
		rendezvous_error(c, cors, 400, "resume: not a number", NULL);
		return (0);
	}
	if (origin_fits(h, &host))
		return (1);
	own = glob_host(origin);
	snprintf(text, sizeof(text), "request Origin \"%.*s\" is not "
	    "authorized for Host \"%.*s\"", (int)(own.len < HOST_SIZE ?
	    own.len : 0), own.s, (int)(host.len < HOST_SIZE ? host.len : 0),
	    host.s != NULL ? host.s : "");
	rendezvous_error(c, cors, 403, text, NULL);
	return (0);
}

static int
pair_good(struct conn *c, const struct httphead *h)
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
	    g->class == CLASS_RELAY ? CT_ADMIT_RELAY_OK :
	    g->class == CLASS_PAIR ? CT_ADMIT_PAIR_OK :
	    CT_ADMIT_TERMINAL_OK) + metric_outcome(m == NULL || r == -1 ? 503 :
	    in.status));
	if (m == NULL || r == -1)
		give_no(c, 503, "service temporarily unavailable", 5);
	else if (in.status != 0)
		give_no(c, in.status, in.message, in.retry_s);
	else {
		if (g->class == CLASS_RELAY)
			tried_good(&g->tried);
		if (good[g->class](c, g->head))
			give(c, in.nonce, in.instance);
	}
	return (r);
}

void
give_tunnel(struct conn *c, const struct httphead *h)
{
	(void)ask(c, h, CLASS_TUNNEL, &(struct msg_admit){ .session = "",
	    .ticket = "", .origin = "", .service = "" });
}

/*
 * A page of the host that it asks: our console. No customer's page has that
 * origin, since their hosts are others.
 */
static int
is_own(const struct slice *origin, const struct httphead *h)
{
	size_t	n = origin->len > 8 && strncasecmp(origin->s, "https://", 8) ==
		    0 ? 8 : 7;

	return (h->host.s != NULL && origin->len == n + h->host.len &&
	    (n == 8 || strncasecmp(origin->s, "http://", 7) == 0) &&
	    strncasecmp(origin->s + n, h->host.s, h->host.len) == 0);
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
	if ((v = httphead_get(h, "origin")) != NULL && !is_own(v, h)) {
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
	(void)whose_id(id, session);
	(void)ask(c, h, class, &(struct msg_admit){ .session = session,
	    .ticket = ticket, .origin = origin, .service = service });
	explicit_bzero(ticket, sizeof(ticket));
}

void
give_terminal(struct conn *c, const struct httphead *h, const struct slice *id)
{
	give_visit(c, h, CLASS_TERMINAL, id, "");
}

/*
 * No browser comes here: whoever says an origin is one. 0: answered.
 * operator-api.md, 9.
 */
static int
internal_is_good(struct conn *c, const struct httphead *h)
{
	const struct slice	*v = httphead_get(h, "origin");

	if (v != NULL && v->len > 0) {
		refused(c, ALONE_ORIGIN);
		answer_bare(c, 403, "origin not allowed", 0);
	} else if (upgrade_check(h) != 0) {
		refused(c, ALONE_UPGRADE);
		answer_bare(c, 400, "websocket upgrade required", 0);
	} else
		return (1);
	return (0);
}

void
give_internal_none(struct conn *c, const struct httphead *h,
    const char *message)
{
	if (internal_is_good(c, h))
		answer_bare(c, 404, message, 0);
}

void
give_internal(struct conn *c, const struct httphead *h, const char *session,
    uint64_t grant)
{
	if (internal_is_good(c, h) &&
	    ask(c, h, CLASS_TERMINAL, &(struct msg_admit){
	    .session = session, .ticket = "", .origin = "", .service = "",
	    .grant = grant }) == 0) {
		give_of(c)->bare = 1;
		strlcpy(give_of(c)->session, session, UUID_SIZE);
	}
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

/* Section 4, 2: a header that is one counts, even if it is wrong. */
static void
relay_token(const struct httphead *h, char dst[TICKET_TEXT])
{
	const struct slice	*v = httphead_get(h, "authorization");
	struct slice		 word;
	int			 n;

	dst[0] = '\0';
	if (v != NULL && v->len > 7 && memcmp(v->s, "Bearer ", 7) == 0) {
		word.s = v->s + 7;
		word.len = v->len - 7;
	} else {
		n = upgrade_query_get(&h->query, "token", dst, TICKET_TEXT);
		if (n > 0)
			return;
		if (n == UPGRADE_Q_BAD)
			strlcpy(dst, "-", TICKET_TEXT);
		word = offered(h, 1);
		if (n != UPGRADE_Q_NONE || word.len == 0)
			return;
		word.s += sizeof(CARRIER) - 1;
		word.len -= sizeof(CARRIER) - 1;
	}
	/* What is longer is no token of anybody. */
	if (word.len >= TICKET_TEXT || memchr(word.s, '\0', word.len) != NULL) {
		strlcpy(dst, "-", TICKET_TEXT);
		return;
	}
	memcpy(dst, word.s, word.len);
	dst[word.len] = '\0';
}

/* A token that is wrong for one session may be right for another. */
static void
relay_tried(struct tried *t, const char *session, const char *token)
{
	char	what[UUID_SIZE + TICKET_TEXT];
	int	n;

	n = snprintf(what, sizeof(what), "%s\n%s", session, token);
	tried_make(t, what, (size_t)n);
	explicit_bzero(what, sizeof(what));
}

void
give_relay(struct conn *c, const struct httphead *h, const struct slice *id,
    const struct slice *host)
{
	char		 cors[CORS_MAX], token[TICKET_TEXT];
	char		 session[UUID_SIZE];
	const char	*extra, *wrong;
	struct tried	 tried;
	uint32_t	 wait;
	int		 status;

	if (cors_fields(h, cors)) {
		answer_empty(c, 204, cors);
		return;
	}
	if (id->len == 0 || memchr(id->s, '/', id->len) != NULL) {
		rendezvous_error(c, cors, 404, "404 page not found", NULL);
		return;
	}
	if (!c->is_head && !slice_eq(&h->method_name, "GET")) {
		rendezvous_error(c, cors, 405, "Method Not Allowed",
		    "Allow: GET, HEAD\r\n");
		return;
	}
	slice_unescape(id, session, sizeof(session));
	relay_token(h, token);
	relay_tried(&tried, session, token);
	if ((wait = tried_wait(&c->addr, &tried)) > 0) {
		explicit_bzero(token, sizeof(token));
		count(CT_LIMITED_REFUSED);
		refused(c, ALONE_TOKENS);
		rendezvous_later(c, cors, 429, TRIED_TEXT, wait);
		return;
	}
	wrong = relay_wrong(c, h, &status, &extra);
	if (ask(c, h, CLASS_RELAY, &(struct msg_admit){ .session = session,
	    .ticket = token, .origin = "", .service = wrong != NULL ||
	    !origin_fits(h, host) ? "look" : "" }) == 0) {
		give_of(c)->host = *host;
		give_of(c)->tried = tried;
		strlcpy(give_of(c)->cors, cors, sizeof(cors));
	}
	explicit_bzero(token, sizeof(token));
}

void
give_pair(struct conn *c, const struct httphead *h)
{
	static const char	no[] = "WebSocket upgrade failed";

	if (upgrade_check(h) != 0)
		answer_as(c, 400, "text/plain;charset=utf-8", "", no,
		    sizeof(no) - 1);
	else
		(void)ask(c, h, CLASS_PAIR, &(struct msg_admit){ .session = "",
		    .ticket = "", .origin = "", .service = "" });
}
