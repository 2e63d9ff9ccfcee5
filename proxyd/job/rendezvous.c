/* SPDX-License-Identifier: ISC */
/*
 * The rendezvous admin API and what stands beside it. A call is one message to
 * authd, which knows tokens, scopes and sessions; its answer is JSON, or a
 * plain error.
 */
#include <sys/queue.h>

#include <cjson/cJSON.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/wipe.h"
#include "imsg/doc.h"
#include "imsg/msg.h"
#include "metrics/count.h"
#include "proc/conf.h"
#include "proc/proc.h"
#include "proxyd/authd.h"
#include "proxyd/door/conn.h"
#include "gather.h"
#include "proxyd/refused.h"
#include "proxyd/tried.h"
#include "rendezvous.h"
#include "wide.h"
#include "ws/ws.h"

#define BODY_MAX	4096	/* more is not looked at */
#define DATA_MAX	(16 << 20)
#define SPARE_MS	5000
#define UNAVAILABLE	"service temporarily unavailable"
#define BEARER		"WWW-Authenticate: Bearer\r\n"
#define ADMIN		"/admin/sessions"
#define EVENTS		"/events"	/* behind an id: 12.4 */
#define PLAIN		"text/plain; charset=utf-8"

struct admin {
	TAILQ_ENTRY(admin)	 entry;
	struct conn		*c;
	struct call		 call;
	enum relay_op		 op;
	char			 cors[CORS_MAX];
	char			 token[TOKEN_SIZE];
	char			 session[UUID_SIZE];
	uint64_t		 left;		/* of the body */
	/* the answer that comes in */
	uint32_t		 id;
	uint16_t		 code;
	int			 waits;
	struct doc		 data;
	struct gather		*others;	/* say the same of theirs */
	struct tried		 tried;		/* its token */
};

static TAILQ_HEAD(, admin)	waiting = TAILQ_HEAD_INITIALIZER(waiting);

static void	admin_more(struct conn *);
static void	admin_expired(struct conn *);
static enum left	admin_left(struct conn *);
static void	admin_end(struct conn *);
static int	admin_result(struct chan *, struct imsg *, void *);

static const struct job_ops	admin_job = {
	.name = "relay admin",
	.more = admin_more,
	.expired = admin_expired,
	.left = admin_left,
	.end = admin_end,
};

static struct admin *
admin_of(const struct conn *c)
{
	return (c->work);
}

static void
admin_end(struct conn *c)
{
	struct admin	*a = admin_of(c);

	call_cancel(&a->call);
	if (a->waits)
		TAILQ_REMOVE(&waiting, a, entry);
	gather_free(a->others);
	doc_clear(&a->data);
	freezero(a, sizeof(*a));
}

static void
admin_expired(struct conn *c)
{
	char	cors[CORS_MAX];

	strlcpy(cors, admin_of(c)->cors, sizeof(cors));
	c->keep = 0;
	rendezvous_later(c, cors, 503, UNAVAILABLE, 1);
}

static void
admin_no(struct conn *c, int status, const char *text, const char *extra)
{
	char	cors[CORS_MAX];

	strlcpy(cors, admin_of(c)->cors, sizeof(cors));
	rendezvous_error(c, cors, status, text, extra);
}

/* What an answer without an envelope needs. */
static void
admin_json(struct conn *c, const char *cors, int status, const char *text,
    size_t len, const char *more)
{
	char		 fields[CORS_MAX + 256], *body;

	if ((body = malloc(len + 2)) == NULL) {
		rendezvous_later(c, cors, 503, UNAVAILABLE, 1);
		return;
	}
	memcpy(body, text, len);
	memcpy(body + len, "\n", 2);
	snprintf(fields, sizeof(fields), "Cache-Control: %s\r\n%s", more,
	    cors);
	answer_as(c, status, "application/json", fields, body, len + 1);
	freezero(body, len + 2);
}

static void
admin_said(struct conn *c)
{
	struct admin	*a = admin_of(c);
	char		 cors[CORS_MAX];
	struct doc	 data = a->data;

	strlcpy(cors, a->cors, sizeof(cors));
	memset(&a->data, 0, sizeof(a->data));	/* ours; the job ends below */
	admin_json(c, cors, a->code, data.text, data.got,
	    a->op == RELAY_DISCOVER ? "public, max-age=300" : "no-store");
	doc_clear(&data);
}

/* Ours and the others' are one list. */
static void
admin_gathered(struct gather *g, void *arg)
{
	struct conn	*c = arg;

	if (wide_list(&admin_of(c)->data, "sessions", g) == -1)
		admin_no(c, 503, UNAVAILABLE, "Retry-After: 1\r\n");
	else
		admin_said(c);
}

static void
admin_answer(struct conn *c)
{
	struct admin	*a = admin_of(c);

	if (a->op != RELAY_LIST || !gather_may(c)) {
		admin_said(c);
		return;
	}
	a->others = gather_begin(c, "GET", ADMIN, a->token, admin_gathered,
	    c);
	sodium_memzero(a->token, sizeof(a->token));
	if (a->others == NULL)
		admin_no(c, 503, UNAVAILABLE, "Retry-After: 1\r\n");
	else
		conn_deadline(c, GATHER_MS + SPARE_MS);
}

/* ---- the request ---- */

/* Others read it as JSON: in UTF-8 or not at all, and cut between characters. */
static void
take_label(char label[WORD_SIZE], const char *from)
{
	size_t	len;

	if (!ws_utf8((const uint8_t *)from, strlen(from)))
		return;
	strlcpy(label, from, WORD_SIZE);
	for (len = strlen(label); !ws_utf8((const uint8_t *)label, len); )
		label[--len] = '\0';
}

/* The body's wishes, as far as it has any: what is no wish is not looked at. */
static void
admin_body(const char *text, size_t len, struct msg_relay *ask,
    char label[WORD_SIZE])
{
	cJSON		*o = cJSON_ParseWithLength(text, len);
	const cJSON	*v;

	v = cJSON_GetObjectItemCaseSensitive(o, "channels");
	if (cJSON_IsNumber(v) && v->valuedouble >= 0)
		ask->channels = v->valuedouble < 1 ||
		    v->valuedouble > RELAY_CHANNELS ? UINT32_MAX :
		    (uint32_t)v->valuedouble;
	v = cJSON_GetObjectItemCaseSensitive(o, "ttl");
	if (cJSON_IsNumber(v) && v->valuedouble >= 1 &&
	    v->valuedouble < UINT32_MAX)
		ask->ttl = (uint32_t)v->valuedouble;
	v = cJSON_GetObjectItemCaseSensitive(o, "label");
	if (cJSON_IsString(v))
		take_label(label, v->valuestring);
	cJSON_Delete(o);
}

/* The first `len` bytes that are here are its body, and are used. */
static void
admin_ask(struct conn *c, size_t len)
{
	struct admin	*a = admin_of(c);
	struct chan	*ch = link_chan();
	char		 addr[ADDR_SIZE], label[WORD_SIZE] = "";
	struct msg_relay ask = { .op = (uint8_t)a->op, .token = a->token,
	    .addr = addr, .session = a->session, .label = label,
	    .request = c->request };
	int		 r = -1;

	addr_print(&c->addr, addr);
	if (a->op == RELAY_CREATE && len > 0)
		admin_body(c->in->data + c->in->off, len, &ask, label);
	if (len > 0)		/* before an answer: what follows is next */
		buf_drop(c->in, len);
	conn_deadline(c, AUTHD_API_MS + SPARE_MS);
	/* Without memory there was no wish in it. */
	if ((len == 0 || !wipe_lacks()) &&
	    call_start(&a->call, ch, AUTHD_API_MS, admin_result, c) != 0)
		r = say_relay(ch, a->call.id, -1, &ask);
	if (a->op != RELAY_LIST)	/* the others are asked with it */
		sodium_memzero(a->token, sizeof(a->token));
	if (r == -1)
		admin_no(c, 503, UNAVAILABLE, "Retry-After: 1\r\n");
}

/* All of the body that is looked at has to be there. */
static void
admin_more(struct conn *c)
{
	struct admin	*a = admin_of(c);
	size_t		 n;

	if (call_waits(&a->call) || a->waits)
		return;
	n = c->in != NULL ? c->in->len : 0;
	if (n < a->left) {
		if (c->eof)
			admin_no(c, 400, BODY_SHORT, NULL);
		return;
	}
	n = (size_t)a->left;
	c->body_left = 0;
	a->left = 0;
	admin_ask(c, n);
}

/* All that comes of the body is here. */
static enum left
admin_left(struct conn *c)
{
	admin_more(c);
	return (LEFT_WAITS);
}

/* Exactly `Bearer `, then the token, trimmed: section 2. 0, or -1: answered. */
static int
admin_token(struct conn *c, const struct httphead *h)
{
	const struct slice	*v = httphead_get(h, "authorization");
	struct admin		*a = admin_of(c);
	const char		*s;
	size_t			 n;

	if (proc_conf()->relay_no_auth || a->op == RELAY_DISCOVER)
		return (0);
	if (v == NULL || v->len < 7 || memcmp(v->s, "Bearer ", 7) != 0) {
		admin_no(c, 401, "missing bearer token", BEARER);
		return (-1);
	}
	for (s = v->s + 7, n = v->len - 7; n > 0 && *s == ' '; s++)
		n--;
	if (n >= sizeof(a->token)) {
		admin_no(c, 401, "invalid token: malformed", BEARER);
		return (-1);
	}
	memcpy(a->token, s, n);
	a->token[n] = '\0';
	tried_make(&a->tried, s, n);
	return (0);
}

/* What is behind the slash, decoded; what cannot be an id is nobody's. */
static void
admin_session(struct admin *a, const struct slice *path)
{
	struct slice	v = { path->s + sizeof(ADMIN),
			    path->len - sizeof(ADMIN) };

	if (a->op == RELAY_HISTORY)
		v.len -= sizeof(EVENTS) - 1;
	if (memchr(v.s, '/', v.len) == NULL)
		slice_unescape(&v, a->session, sizeof(a->session));
}

static void
admin_begin(struct conn *c, const struct httphead *h, enum relay_op op,
    const char *cors)
{
	struct admin	*a;
	uint32_t	 wait;

	if ((a = calloc(1, sizeof(*a))) == NULL) {
		rendezvous_later(c, cors, 503, UNAVAILABLE, 1);
		return;
	}
	a->c = c;
	a->op = op;
	strlcpy(a->cors, cors, sizeof(a->cors));
	conn_job(c, &admin_job, a);
	if (admin_token(c, h) == -1)
		return;
	if (op != RELAY_DISCOVER &&
	    (wait = tried_wait(&c->addr, &a->tried)) > 0) {
		count(CT_LIMITED_REFUSED);
		refused(c, ALONE_TOKENS);
		rendezvous_later(c, cors, 429, TRIED_TEXT, wait);
		return;
	}
	if (op == RELAY_SHOW || op == RELAY_DELETE || op == RELAY_HISTORY)
		admin_session(a, &h->path);
	if (op == RELAY_CREATE && (h->flags & HTTPHEAD_LENGTH) &&
	    h->content_length <= BODY_MAX)
		a->left = h->content_length;
	buf_drop(c->in, c->head_len);
	c->head_len = 0;
	if (c->in->len == 0)
		buf_put(&c->in);
	if (a->left > 0) {
		conn_deadline(c, CONN_BODY_MS);
		if (!c->eof)
			conn_reading(c, 1);
	}
	if (a->left > 0)
		admin_more(c);
	else
		admin_ask(c, 0);
}

/* ---- the answer ---- */

static int
admin_result(struct chan *ch, struct imsg *m, void *arg)
{
	struct msg_api_result	 in;
	struct conn		*c = arg;
	struct admin		*a = admin_of(c);
	char			 cors[CORS_MAX];
	uint32_t		 wait;

	(void)ch;
	a->id = a->call.id;
	if (m == NULL || get_api_result(m, &in) == -1 || in.status < 200 ||
	    in.status > 599 || in.total > DATA_MAX) {
		admin_no(c, 503, UNAVAILABLE, "Retry-After: 1\r\n");
		return (m == NULL ? 0 : -1);
	}
	a->code = in.status;
	if (in.status < 300)
		tried_good(&a->tried);
	if (in.status == 401 &&
	    (wait = tried_bad(&c->addr, &a->tried)) > 0) {
		count(CT_LIMITED_REFUSED);
		strlcpy(cors, a->cors, sizeof(cors));
		rendezvous_later(c, cors, 429, TRIED_TEXT, wait);
	} else if (in.status == 204)
		answer_empty(c, 204, a->cors);
	else if (in.status >= 300)
		admin_no(c, in.status, in.message, in.status == 401 ? BEARER :
		    in.status == 503 || in.status == 429 ?
		    "Retry-After: 5\r\n" : NULL);
	else {
		doc_begin(&a->data, in.total, 1);
		if (in.total == 0 || a->data.text == NULL) {
			admin_no(c, 503, UNAVAILABLE, "Retry-After: 1\r\n");
			return (0);
		}
		a->waits = 1;
		TAILQ_INSERT_TAIL(&waiting, a, entry);
	}
	return (0);
}

int
rendezvous_chunk(struct imsg *m)
{
	struct msg_doc_chunk	 in;
	struct admin		*a;

	TAILQ_FOREACH(a, &waiting, entry)
		if (a->id == m->id)
			break;
	if (a == NULL)
		return (0);
	if (get_doc_chunk(m, &in) == -1 || doc_add(&a->data, &in.bytes) == -1)
		return (-1);
	if (doc_is_whole(&a->data))
		admin_answer(a->c);
	return (1);
}

int
rendezvous_is_waiting(void)
{
	return (!TAILQ_EMPTY(&waiting));
}

void
rendezvous_forget_all(void)
{
	struct admin	*a;

	while ((a = TAILQ_FIRST(&waiting)) != NULL)
		admin_no(a->c, 503, UNAVAILABLE, "Retry-After: 1\r\n");
}

/* ---- what needs no authd ---- */

static void
discovery(struct conn *c, const struct httphead *h, const char *cors)
{
	if (proc_conf()->relay_no_auth)
		rendezvous_error(c, cors, 404,
		    "auth disabled on this deployment (--no-auth)", NULL);
	else
		admin_begin(c, h, RELAY_DISCOVER, cors);
}

/* The fixed paths: GET and HEAD. */
static void
fixed_begin(struct conn *c, const struct httphead *h, const char *cors)
{
	if (!c->is_head && !slice_eq(&h->method_name, "GET"))
		rendezvous_error(c, cors, 405, "Method Not Allowed",
		    "Allow: GET, HEAD\r\n");
	else if (slice_eq(&h->path, "/healthz"))
		answer_as(c, 200, PLAIN, cors, "ok", 2);
	else
		discovery(c, h, cors);
}

/* Behind `/admin/sessions/`: is it an id, and a word of ours behind that? */
static int
is_events(const struct slice *path)
{
	size_t	n = sizeof(ADMIN) + sizeof(EVENTS) - 1;

	return (path->len > n && memcmp(path->s + path->len -
	    (sizeof(EVENTS) - 1), EVENTS, sizeof(EVENTS) - 1) == 0 &&
	    memchr(path->s + sizeof(ADMIN), '/', path->len - n) == NULL);
}

static void
admin_route(struct conn *c, const struct httphead *h, const char *cors)
{
	int	one = h->path.len > sizeof(ADMIN) - 1, events, get;

	get = c->is_head || slice_eq(&h->method_name, "GET");
	events = one && is_events(&h->path);
	if (one && !events && (h->path.len == sizeof(ADMIN) ||
	    memchr(h->path.s + sizeof(ADMIN), '/',
	    h->path.len - sizeof(ADMIN)) != NULL))
		rendezvous_error(c, cors, 404, "404 page not found", NULL);
	else if (get)
		admin_begin(c, h, events ? RELAY_HISTORY : one ? RELAY_SHOW :
		    RELAY_LIST, cors);
	else if (one && !events && slice_eq(&h->method_name, "DELETE"))
		admin_begin(c, h, RELAY_DELETE, cors);
	else if (!one && slice_eq(&h->method_name, "POST"))
		admin_begin(c, h, RELAY_CREATE, cors);
	else
		rendezvous_error(c, cors, 405, "Method Not Allowed", events ?
		    "Allow: GET, HEAD\r\n" : one ?
		    "Allow: DELETE, GET, HEAD\r\n" :
		    "Allow: GET, HEAD, POST\r\n");
}

void
rendezvous_begin(struct conn *c, const struct httphead *h)
{
	char		cors[CORS_MAX];

	if (cors_fields(h, cors))
		answer_empty(c, 204, cors);
	else if (h->path.len < sizeof(ADMIN) - 1 ||
	    memcmp(h->path.s, ADMIN, sizeof(ADMIN) - 1) != 0)
		fixed_begin(c, h, cors);
	else
		admin_route(c, h, cors);
}
