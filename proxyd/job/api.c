/* SPDX-License-Identifier: ISC */
/*
 * The operator API: path, query and body become one typed message to authd,
 * which knows tokens, scopes and sessions; its answer becomes the envelope.
 */
#include <sys/queue.h>

#include <cjson/cJSON.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "answer.h"
#include "api.h"
#include "base/wipe_json.h"
#include "body.h"
#include "document.h"
#include "events.h"
#include "file.h"
#include "gather.h"
#include "api/api.h"
#include "proxyd/authd.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/rate.h"
#include "base/wipe.h"
#include "proc/conf.h"
#include "proxyd/door/conn.h"
#include "proxyd/refused.h"
#include "proxyd/tried.h"
#include "imsg/doc.h"
#include "imsg/imsg.h"
#include "base/log.h"
#include "imsg/msg.h"
#include "metrics/count.h"
#include "proc/proc.h"
#include "rendezvous.h"
#include "whose.h"
#include "wide.h"
#include "proxyd/door/route.h"
#include "http/upgrade.h"

#define DATA_MAX	(16 << 20)	/* of one answer */
#define SPARE_MS	5000	/* for an answer that hangs, beyond authd's */

struct api_call {
	TAILQ_ENTRY(api_call)	 entry;
	struct conn		*c;
	struct call		 call;
	enum api_op		 op;
	uint64_t		 begun_ns;
	/* what is asked */
	char			 token[TOKEN_SIZE];
	char			 session[UUID_SIZE];
	struct api_args		 args;
	/* the body that comes in */
	int			 expect;
	struct body		 body;
	/* the answer that comes in */
	uint32_t		 id;		/* that its chunks carry */
	uint16_t		 code;
	int			 invalid;	/* say what was wrong */
	char			*message;
	struct doc		 data;
	struct gather		*others;	/* say the same of theirs */
	struct file		 file;		/* or a file */
	struct tried		 tried;		/* its token */
};

static TAILQ_HEAD(, api_call)	waiting = TAILQ_HEAD_INITIALIZER(waiting);
static struct rate		*by_token;

static int	api_result(struct chan *, struct imsg *, void *);
static int	token_result(struct chan *, struct imsg *, void *);
static void	api_ask_token(struct conn *);
static void	api_body_begin(struct conn *);
static void	api_ask(struct conn *);
static void	api_answer(struct conn *);
static void	api_body(struct conn *);
static void	api_file(struct conn *);
static void	api_end(struct conn *);
static void	api_said(struct conn *);

/* ---- the job: its body comes in, then its answer ---- */

static struct api_call *
api_of(const struct conn *c)
{
	return (c->work);
}

static void
body_expired(struct conn *c)
{
	c->keep = 0;
	c->body_left = 1;
	refused(c, ALONE_SLOW);
	answer_error(c, 408, "request not complete in time");
}

/* It waits for authd. */
static void
answer_expired(struct conn *c)
{
	answer_error(c, 503, "no answer in time");
}

/* All that comes of the body is here. */
static enum left
body_left(struct conn *c)
{
	api_body(c);
	return (LEFT_WAITS);
}

/* It reads nothing: what it has is not whole, and it is to see that. */
static void
file_expired(struct conn *c)
{
	conn_close(c, "takes nothing of a file", 1);
}

static const struct job_ops	file_job = {
	.name = "api, file",
	.writable = api_file,
	.expired = file_expired,
	.left = conn_reads,
	.end = api_end,
};

static const struct job_ops	body_job = {
	.name = "api, body",
	.more = api_body,
	.expired = body_expired,
	.left = body_left,
	.end = api_end,
};

static const struct job_ops	token_job = {
	.name = "api, token",
	.expired = answer_expired,
	.left = conn_waits,
	.end = api_end,
};

static const struct job_ops	answer_job = {
	.name = "api",
	.expired = answer_expired,
	.left = conn_waits,
	.end = api_end,
};

/* ---- the request ---- */

/* operator-api.md, 2: the table's first three rows. */
const char *
api_bearer(const struct httphead *h, struct slice *token)
{
	const struct slice	*v = httphead_get(h, "authorization");

	if (v == NULL || v->len == 0)
		return ("authorization header required");
	if (v->len < 6 || memcmp(v->s, "Bearer", 6) != 0 ||
	    (v->len > 6 && v->s[6] != ' '))
		return ("invalid authorization header format");
	if (v->len <= 7)
		return ("token not provided");
	if (v->len - 7 >= TOKEN_SIZE || memchr(v->s, '\0', v->len) != NULL)
		return ("invalid token");
	token->s = v->s + 7;
	token->len = v->len - 7;
	return (NULL);
}

/* 0, or -1: answered. */
static int
take_token(struct conn *c, const struct httphead *h, struct api_call *a)
{
	struct slice	 token;
	const char	*why;

	if ((why = api_bearer(h, &token)) != NULL) {
		refused(c, ALONE_TOKEN);
		answer_json(c, 401, why, NULL, 0, ANSWER_BEARER);
		return (-1);
	}
	memcpy(a->token, token.s, token.len);
	a->token[token.len] = '\0';
	tried_make(&a->tried, token.s, token.len);
	return (0);
}

/* Limits that need no authd. 0, or -1: answered. */
static int
take_rate(struct conn *c, const struct api_call *a)
{
	char		key[ADDR_SIZE];
	uint32_t	wait;

	if ((wait = tried_wait(&c->addr, &a->tried)) > 0) {
		count(CT_LIMITED_REFUSED);
		refused(c, ALONE_TOKENS);
		answer_later(c, 429, TRIED_TEXT, wait);
		return (-1);
	}
	if (by_token == NULL && (by_token = rate_new(4096)) == NULL) {
		answer_later(c, 503, "service temporarily unavailable", 1);
		return (-1);
	}
	addr_key(&c->addr, key);
	if (rate_hit(by_token, a->token[0] != '\0' ? a->token : key,
	    proc_conf()->api_rate, 60000, &wait) == -1) {
		count(CT_LIMITED_API);
		refused(c, ALONE_RATE);
		answer_later(c, 429, "too many requests", wait);
		return (-1);
	}
	return (0);
}

/*
 * Is this a request that the call can have? 0, or -1: answered. A body that
 * nobody would look at is not waited for: it could only cost memory.
 */
static int
check_body(struct conn *c, const struct httphead *h, int op)
{
	size_t	most = api_info((unsigned)op)->body;

	if (h->flags & HTTPHEAD_UPGRADE) {
		refused(c, ALONE_UPGRADE);
		answer_error(c, 400, "no upgrade here");
	} else if (most == 0 && c->body_left) {
		refused(c, ALONE_BODY);
		answer_error(c, 400, "this call takes no body");
	} else if ((h->flags & HTTPHEAD_LENGTH) && h->content_length > most) {
		refused(c, ALONE_BODY);
		answer_error(c, 413, "request body too large");
	} else
		return (0);
	return (-1);
}

static void
answer_allow(struct conn *c, const char *methods)
{
	char	extra[128];

	snprintf(extra, sizeof(extra), "Allow: %s\r\n", methods);
	answer_json(c, 405, "method not allowed", NULL, 0, extra);
}

/* Which call it is; HEAD is GET without the body. <= 0: answered. */
static int
call_of(struct conn *c, const struct httphead *h, struct slice *hole)
{
	static const struct slice	get = { "GET", 3 };
	char				methods[96];
	int				op;

	op = api_match(&h->path, c->is_head ? &get : &h->method_name, hole);
	if (op == -1) {
		api_allowed(&h->path, methods, sizeof(methods));
		answer_allow(c, methods);
	} else if (op == 0)
		answer_error(c, 404, "api not found");
	return (op);
}

/* The description of all calls is no call. 1: it was asked for. */
static int
is_document(struct conn *c, const struct httphead *h)
{
	const char	*text;
	size_t		 len;

	if (!slice_eq(&h->path, DOCUMENT_PATH))
		return (0);
	if (!c->is_head && !slice_eq(&h->method_name, "GET")) {
		answer_allow(c, "GET, HEAD");
		return (1);
	}
	text = document(&len);
	answer_text(c, "application/yaml", text, len);
	return (1);
}

void
api_begin(struct conn *c, const struct httphead *h)
{
	struct api_call	*a;
	struct slice	 hole[API_HOLES] = { { NULL, 0 } };
	int		 op, id;

	if (is_document(c, h))
		return;
	if ((op = call_of(c, h, hole)) <= 0)
		return;
	if (check_body(c, h, op) == -1)
		return;
	if ((a = calloc(1, sizeof(*a))) == NULL) {
		answer_later(c, 503, "service temporarily unavailable", 1);
		return;
	}
	conn_job(c, &body_job, a);
	a->c = c;
	a->file.fd = -1;
	a->op = (enum api_op)op;
	a->begun_ns = clock_ns();
	c->status = 0;
	if ((api_info(a->op)->needs != NEEDS_NOTHING &&
	    take_token(c, h, a) == -1) || take_rate(c, a) == -1)
		return;
	if ((id = api_hole(a->op, "id")) != -1)
		(void)whose_id(&hole[id], a->session);
	api_take_path(a->op, hole, &a->args);
	api_take_query(a->op, &h->query, &a->args);
	body_begin(&a->body, (h->flags & HTTPHEAD_CHUNKED) != 0,
	    (h->flags & HTTPHEAD_LENGTH) ? h->content_length : 0);
	a->expect = (h->flags & HTTPHEAD_EXPECT) != 0;
	buf_drop(c->in, c->head_len);
	c->head_len = 0;
	if (body_is_here(c, &a->body))
		api_body(c);
	else if (api_info(a->op)->needs == NEEDS_NOTHING)
		api_body_begin(c);
	else
		api_ask_token(c);
}

/* How long authd may take: a client that adds a service may dial first. */
static uint64_t
api_patience(unsigned op)
{
	return (op == API_SERVICES_ADD || op == API_SERVICE_REMOVE ?
	    AUTHD_CLIENT_MS : AUTHD_API_MS);
}

/* Ask authd in the caller's name. 0, or -1: it cannot be asked. */
static int
api_send(struct conn *c, struct msg_api *ask, chan_done_fn result)
{
	struct api_call	*a = api_of(c);
	struct chan	*ch = link_chan();
	uint64_t	 ms = api_patience(ask->op);
	char		 addr[ADDR_SIZE];
	int		 r = -1;

	conn_deadline(c, ms + SPARE_MS);
	addr_print(&c->addr, addr);
	ask->token = a->token;
	ask->addr = addr;
	ask->request = c->request;
	ask->until_ms = clock_ms() + ms;
	if (call_start(&a->call, ch, ms, result, c) != 0)
		r = say_api(ch, a->call.id, -1, ask);
	ask->addr = NULL;	/* it was good for the call only */
	return (r == -1 ? -1 : 0);
}

/*
 * The body is still to come, and may take its time: first whether the caller
 * is anybody. A list with a wrong parameter is a question that changes nothing;
 * authd says no to a bad token, or that something is wrong.
 */
static void
api_ask_token(struct conn *c)
{
	struct api_call	*a = api_of(c);
	struct msg_api	 ask = { .op = API_SESSION_LIST, .session = "",
	    .invalid = 1 };

	conn_job(c, &token_job, a);
	if (c->in->len == 0)
		buf_put(&c->in);
	api_args_say(&(struct api_args){ .page = 1, .page_size = 1 }, &ask);
	if (api_send(c, &ask, token_result) == -1)
		answer_later(c, 503, "service temporarily unavailable", 1);
}

/*
 * authd has refused the token. 1: the address has had too many refused, that is
 * answered.
 */
static int
too_many_refused(struct conn *c)
{
	uint32_t	wait = tried_bad(&c->addr, &api_of(c)->tried);

	if (wait == 0)
		return (0);
	count(CT_LIMITED_REFUSED);
	answer_later(c, 429, TRIED_TEXT, wait);
	return (1);
}

/* Somebody it is, if maybe not for this call: then the body is read. */
static int
token_result(struct chan *ch, struct imsg *m, void *arg)
{
	struct conn		*c = arg;
	struct msg_api_result	 in;

	(void)ch;
	if (m == NULL || get_api_result(m, &in) == -1) {
		answer_later(c, 503, "service temporarily unavailable", 1);
		return (m == NULL ? 0 : -1);
	}
	if (in.status == 401) {
		if (!too_many_refused(c))
			answer_json(c, 401, in.message, NULL, 0,
			    ANSWER_BEARER);
		return (0);
	}
	if (in.status != 400 && in.status != 403) {
		answer_later(c, in.status == 429 ? 429 : 503, in.message, 1);
		return (0);
	}
	api_body_begin(c);
	return (0);
}

static void
api_body_begin(struct conn *c)
{
	struct api_call	*a = api_of(c);

	conn_job(c, &body_job, a);
	conn_deadline(c, CONN_BODY_MS);
	if (a->expect && (c->in == NULL || c->in->len == 0) &&
	    conn_continue(c) == -1)
		return;
	if (!c->eof)
		conn_reading(c, 1);
	api_body(c);
}

static void
api_body(struct conn *c)
{
	struct api_call	*a = api_of(c);

	if (body_read(c, &a->body, api_info(a->op)->body) == 1)
		api_ask(c);
}

static void
api_ask(struct conn *c)
{
	struct api_call	*a = api_of(c);
	struct msg_api	 ask = { .op = (uint8_t)a->op, .session = a->session };
	int		 r;

	conn_job(c, &answer_job, a);
	api_take_body(a->op, a->body.text, a->body.len, &a->args);
	ask.invalid = a->args.bad_key != NULL;
	api_args_say(&a->args, &ask);
	/* Without memory a good body is taken for a bad one, or in part. */
	r = wipe_lacks() ? -1 : api_send(c, &ask, api_result);
	if (!wide_is(c, a->op))
		sodium_memzero(a->token, sizeof(a->token));
	if (r == -1)
		answer_later(c, 503, "service temporarily unavailable", 1);
}

/*
 * The services of a session for an existing back end, whose secrets authd has
 * said yes to.
 */
void
api_internal_services(struct conn *c, const char *session, uint64_t grant)
{
	struct msg_api	 ask = { .op = API_SERVICES, .grant = grant };
	struct api_call	*a;

	if ((a = calloc(1, sizeof(*a))) == NULL) {
		answer_later(c, 503, "service temporarily unavailable", 1);
		return;
	}
	conn_job(c, &answer_job, a);
	a->c = c;
	a->file.fd = -1;
	a->op = API_SERVICES;
	a->begun_ns = clock_ns();
	c->status = 0;
	strlcpy(a->session, session, sizeof(a->session));
	buf_drop(c->in, c->head_len);
	c->head_len = 0;
	if (c->in->len == 0)
		buf_put(&c->in);
	ask.session = a->session;
	api_args_say(&a->args, &ask);
	if (api_send(c, &ask, api_result) == -1)
		answer_later(c, 503, "service temporarily unavailable", 1);
}

/* ---- the answer ---- */

static void
api_file(struct conn *c)
{
	file_send(c, &api_of(c)->file);
}

/* The answer is a recording. */
static int
file_begin(struct conn *c, struct imsg *m)
{
	struct api_call		*a = api_of(c);
	struct msg_api_file	 in;

	if (get_api_file(m, &in) == -1) {
		answer_later(c, 503, "service temporarily unavailable", 1);
		return (-1);
	}
	a->file.fd = m_take_fd(m);
	a->file.left = c->is_head ? 0 : in.size;
	conn_job(c, &file_job, a);
	conn_deadline(c, FILE_IDLE_MS);
	if (answer_head(c, "application/x-asciicast", NULL, in.size) == 0)
		api_file(c);
	return (0);
}

/* The answer goes on for as long as the caller listens: another job. */
static void
api_follows(struct conn *c)
{
	struct api_call	*a = api_of(c);
	uint32_t	 id = a->id;

	c->status = 200;
	api_end(c);
	conn_job(c, NULL, NULL);
	events_begin(c, id);
}

static int
api_result(struct chan *ch, struct imsg *m, void *arg)
{
	struct conn	*c = arg;
	struct api_call	*a = api_of(c);
	struct msg_api_result	 in;

	(void)ch;
	a->id = a->call.id;
	if (m != NULL && m->type == IMSG_API_FILE)
		return (file_begin(c, m));
	if (m == NULL) {
		answer_later(c, 503, "service temporarily unavailable", 1);
		return (0);
	}
	if (get_api_result(m, &in) == -1 || in.status < 200 ||
	    in.status > 599 || in.total > DATA_MAX) {
		answer_later(c, 503, "service temporarily unavailable", 1);
		return (-1);
	}
	if (in.status < 300)
		tried_good(&a->tried);
	else if (in.status == 401 && too_many_refused(c))
		return (0);
	if (a->op == API_EVENTS && in.status == 200) {
		api_follows(c);
		return (0);
	}
	a->code = in.status;
	a->invalid = in.invalid && a->args.bad_key != NULL;
	doc_begin(&a->data, in.total, 1);
	a->message = strdup(in.message);
	if (a->message == NULL || (in.total > 0 && a->data.text == NULL)) {
		answer_later(c, 503, "service temporarily unavailable", 1);
		return (0);
	}
	if (in.total == 0) {
		api_answer(c);
		return (0);
	}
	TAILQ_INSERT_TAIL(&waiting, a, entry);
	return (0);
}

int
api_on_chunk(struct chan *ch, struct imsg *m)
{
	struct msg_doc_chunk	 in;
	struct api_call	*a;

	(void)ch;
	if (get_doc_chunk(m, &in) == -1)
		return (-1);
	TAILQ_FOREACH(a, &waiting, entry)
		if (a->id == m->id)
			break;
	if (a == NULL)		/* not ours, or the asker has gone */
		return (rendezvous_chunk(m) == -1 ? -1 : 0);
	if (doc_add(&a->data, &in.bytes) == -1)
		return (-1);
	if (doc_is_whole(&a->data))
		api_answer(a->c);
	return (0);
}

/* What was wrong with query or body: authd lets the caller know. */
static void
answer_invalid(struct conn *c, const struct api_call *a)
{
	const struct api_args	*p = &a->args;
	cJSON			*doc, *list, *e;
	char			*text;

	doc = cJSON_CreateObject();
	cJSON_AddStringToObject(doc, "type", "validation_error");
	list = cJSON_AddArrayToObject(doc, "errors");
	cJSON_AddItemToArray(list, e = cJSON_CreateObject());
	cJSON_AddStringToObject(e, "key", p->bad_key);
	cJSON_AddStringToObject(e, "message", p->bad_rule);
	cJSON_AddStringToObject(e, "value", p->bad_value);
	text = wipe_print(doc);
	cJSON_Delete(doc);
	if (text == NULL) {
		answer_error(c, a->code, a->message);
		return;
	}
	answer_json(c, a->code, a->message, text, strlen(text), NULL);
	cJSON_free(text);
}

/* Ours and the others' are one answer. */
static void
api_gathered(struct gather *g, void *arg)
{
	struct conn	*c = arg;
	struct api_call	*a = api_of(c);
	const char	*text;

	if ((text = wide_answer(a->op, &a->data, &a->code, g)) != NULL) {
		free(a->message);
		a->message = strdup(text);
	}
	if (a->message == NULL)
		answer_later(c, 503, "service temporarily unavailable", 1);
	else
		api_said(c);
}

/* Have the others to be asked, too? Then `api_gathered` goes on. */
static int
api_gather(struct conn *c)
{
	struct api_call	*a = api_of(c);
	int		 asked;

	a->others = wide_ask(c, a->op, a->code, a->args.terminal, a->token,
	    &asked, api_gathered, c);
	sodium_memzero(a->token, sizeof(a->token));
	if (asked && a->others == NULL)
		answer_later(c, 503, "too many requests under way", 1);
	else if (asked)
		conn_deadline(c, GATHER_MS + SPARE_MS);
	return (asked);
}

static void
api_answer(struct conn *c)
{
	if (!api_gather(c))
		api_said(c);
}

static void
api_said(struct conn *c)
{
	struct api_call	*a = api_of(c);

	if (a->invalid) {
		answer_invalid(c, a);
		return;
	}
	answer_json(c, a->code, a->message, a->data.text, a->data.got,
	    a->code == 401 ? ANSWER_BEARER :
	    a->code == 503 ? "Retry-After: 1\r\n" : NULL);
}

/* Its rows among the counters: a few for each call, in the order of api.def. */
static unsigned
api_row(enum api_op op)
{
	switch (op) {
#define A(NAME, method, pattern, needs, body, word, text, params)	\
	case API_##NAME:						\
		return (CT_API_##NAME##_NONE);
#include "api/api.def"
#undef A
	default:
		fatalx("no such call");
	}
}

static void
api_end(struct conn *c)
{
	struct api_call	*a = api_of(c), *w;

	count(api_row(a->op) + metric_class(c->status));
	observe_us(CT_API_TIME, (clock_ns() - a->begun_ns) / 1000);
	if (call_waits(&a->call) && link_chan() != NULL)
		(void)say_api_gone(link_chan(), 0, -1, &(struct msg_api_gone){
		    .call = a->call.id });
	call_cancel(&a->call);
	TAILQ_FOREACH(w, &waiting, entry)
		if (w == a) {
			TAILQ_REMOVE(&waiting, a, entry);
			break;
		}
	sodium_memzero(a->token, sizeof(a->token));
	imsg_close_fd(a->file.fd);
	gather_free(a->others);
	doc_clear(&a->data);
	free(a->message);
	body_clear(&a->body);
	sodium_memzero(&a->args, sizeof(a->args));
	free(a);
}

int
api_is_waiting(void)
{
	return (!TAILQ_EMPTY(&waiting));
}

/* The channel has gone: the rest of these answers will not come. */
void
api_forget_all(void)
{
	struct api_call	*a;

	while ((a = TAILQ_FIRST(&waiting)) != NULL)
		answer_later(a->c, 503, "service temporarily unavailable", 1);
}
