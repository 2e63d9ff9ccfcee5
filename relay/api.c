/* SPDX-License-Identifier: ISC */
#include <event2/event.h>
#include <event2/event_struct.h>

#include <llhttp.h>
#include <sodium.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "net/exchange.h"
#include "net/via.h"
#include "relay.h"

#define REQUEST_MAX	24576		/* a token is 8 KiB at most */
#define HEAD_SIZE	65536		/* of an answer's head, and the rest */
#define BODY_MAX	(16 << 20)	/* of an answer: a page of a list */
#define ASKED_MAX	120
#define SAID_MAX	120		/* of a body that is a text */

struct api_call {
	api_fn		 fn;
	void		*arg;
	struct dial	*dial;
	struct via	*via;
	const struct url *at;		/* lives as long as it does */
	char		 asked[ASKED_MAX];	/* for people: it has no ticket */
	struct sock	 sock;
	struct exchange	 x;
	int		 status, keep, chunked, to_close;
	struct httphead_chunk chunk;
	char		*body;
	size_t		 len, size;	/* of the body; of its memory */
	size_t		 want;		/* all of it, where that is known */
	struct event	 ev_body;
	int		 reading;	/* it is added */
	struct timer	 timer;
	uint64_t	 ms;
};

static int	api_begin(struct api_call *, const struct api_ask *);
static void	api_go(void *);
static void	api_dialed(void *, struct sock *, const char *);
static void	api_answered(void *, const struct httphead *, const char *);
static void	api_body(evutil_socket_t, short, void *);
static void	api_took(struct api_call *, char *, size_t);
static void	api_whole(struct api_call *);
static void	api_late(void *);
static void	api_fail(struct api_call *, const char *);
static void	api_free(struct api_call *);

static int
request_make(struct api_call *a, const struct api_ask *ask)
{
	const struct url	*u = ask->at != NULL ? ask->at : &relay.url;
	char			 length[128] = "";
	int			 n;

	snprintf(a->asked, sizeof(a->asked), "%s %s%s%.*s",
	    llhttp_method_name((llhttp_method_t)ask->method), u->path,
	    ask->bare ? "" : "/api", (int)strcspn(ask->path, "?"), ask->path);
	if (ask->body != NULL)
		snprintf(length, sizeof(length), "Content-Type: %s\r\n"
		    "Content-Length: %zu\r\n", ask->type != NULL ? ask->type :
		    "application/json", strlen(ask->body));
	n = snprintf(a->x.request, REQUEST_MAX, "%s %s%s%s%s%s HTTP/1.1\r\n"
	    "Host: %s\r\nUser-Agent: relay/" RELAYD_VERSION "\r\n"
	    "%s%s%s%s\r\n%s",
	    llhttp_method_name((llhttp_method_t)ask->method), u->path,
	    ask->bare ? "" : "/api", ask->path, ask->at != NULL &&
	    u->query[0] != '\0' ? "?" : "", ask->at != NULL ? u->query : "",
	    u->authority,
	    ask->fields != NULL ? ask->fields : "Authorization: Bearer ",
	    ask->fields != NULL ? "" : relay.token,
	    ask->fields != NULL ? "" : "\r\n", length,
	    ask->body == NULL ? "" : ask->body);
	a->x.request_len = (size_t)n;
	return (n < 0 || n >= REQUEST_MAX ? -1 : 0);
}

struct api_call *
api_start(const struct api_ask *ask, api_fn fn, void *arg)
{
	struct api_call	*a = calloc(1, sizeof(*a));

	if (a == NULL)
		return (NULL);
	a->fn = fn;
	a->arg = arg;
	a->sock.fd = -1;
	a->ms = ask->ms;
	timer_init(&a->timer, api_late, a);
	a->x = (struct exchange){ .sock = &a->sock, .method = ask->method,
	    .request = malloc(REQUEST_MAX), .buf = malloc(HEAD_SIZE),
	    .size = HEAD_SIZE, .fn = api_answered, .arg = a };
	if (a->x.request == NULL || a->x.buf == NULL ||
	    request_make(a, ask) == -1 || api_begin(a, ask) == -1) {
		api_free(a);
		return (NULL);
	}
	return (a);
}

static int
api_begin(struct api_call *a, const struct api_ask *ask)
{
	const struct url	*u = ask->at != NULL ? ask->at : &relay.url;
	struct dial_how		 how = { .host = u->host, .port = u->port,
				    .name = u->host, .tls = u->tls ?
				    DIAL_TLS_SERVER : DIAL_PLAIN };

	a->at = u;

	if (ask->over != NULL) {
		a->sock = *ask->over;
		*ask->over = (struct sock){ .fd = -1 };
		timer_init(&a->timer, api_go, a);
		timer_set(&a->timer, 0);
		return (0);
	}
	timer_set(&a->timer, a->ms);
	if (relay.proxy != NULL)
		a->via = via_start(relay.proxy, &how, "relay", api_dialed, a);
	else
		a->dial = dial_start(&how, api_dialed, a);
	return (a->dial == NULL && a->via == NULL ? -1 : 0);
}

static void
api_go(void *arg)
{
	struct api_call	*a = arg;

	timer_init(&a->timer, api_late, a);
	timer_set(&a->timer, a->ms);
	exchange_start(&a->x);
}

static void
api_dialed(void *arg, struct sock *s, const char *why)
{
	struct api_call	*a = arg;
	const char	*todo;
	char		 where[API_WHY_SIZE];

	a->dial = NULL;
	a->via = NULL;
	if (why != NULL) {
		todo = strcmp(why, "TLS: wrong version number") == 0 ?
		    "is it http:// that is spoken there?" : net_advice(why);
		snprintf(where, sizeof(where), "%s%s%s: %s%s%s",
		    a->at->authority, relay.proxy != NULL ? " through " :
		    "", relay.proxy != NULL ? relay.proxy->at.authority : "",
		    why, *todo == '\0' ? "" : "; ", todo);
		api_fail(a, where);
		return;
	}
	a->sock = *s;
	exchange_start(&a->x);
}

static void
api_upgraded(struct api_call *a, const struct httphead *head)
{
	struct api_answer	answer = { .status = head->status, .why = "",
				    .asked = a->asked, .head = head, .rest = a->x.buf +
				    head->head_len, .rest_len = a->x.len -
				    head->head_len, .sock = &a->sock };

	a->fn(a->arg, &answer);
	api_free(a);
}

static void
api_answered(void *arg, const struct httphead *head, const char *why)
{
	struct api_call	*a = arg;
	char		 text[API_WHY_SIZE];

	if (head == NULL) {
		/* Who wants TLS hangs up, or says so in bytes of TLS. */
		snprintf(text, sizeof(text), "%s%s", *why == '\0' ?
		    "the server has closed the connection" : why,
		    a->at->tls ? "" : "; is it https:// that is spoken there?");
		api_fail(a, text);
		return;
	}
	if (head->status == 101) {
		api_upgraded(a, head);
		return;
	}
	a->status = head->status;
	a->keep = (head->flags & HTTPHEAD_KEEPALIVE) != 0;
	a->chunked = (head->flags & HTTPHEAD_CHUNKED) != 0;
	a->to_close = (head->flags & HTTPHEAD_TO_CLOSE) != 0;
	a->want = head->flags & HTTPHEAD_LENGTH ?
	    (size_t)head->content_length : 0;
	event_assign(&a->ev_body, net_base(), a->sock.fd, EV_READ | EV_PERSIST,
	    api_body, a);
	event_add(&a->ev_body, NULL);
	a->reading = 1;
	if (sock_pending(&a->sock))
		event_active(&a->ev_body, EV_READ, 0);
	api_took(a, a->x.buf + head->head_len, a->x.len - head->head_len);
}

/* 1 if this was all, 0 if more is to come, -1 if it is bad. */
static int
body_add(struct api_call *a, char *p, size_t len)
{
	char	*grown;

	if (a->chunked && len > 0 &&
	    httphead_chunk_strip(&a->chunk, p, len, &len) == -1)
		return (-1);
	if (len > BODY_MAX - a->len)
		return (-1);
	if (a->len + len > a->size) {
		if ((grown = malloc(2 * (a->len + len))) == NULL)
			return (-1);
		if (a->body != NULL) {
			memcpy(grown, a->body, a->len);
			freezero(a->body, a->size);
		}
		a->body = grown;
		a->size = 2 * (a->len + len);
	}
	if (len > 0)
		memcpy(a->body + a->len, p, len);
	a->len += len;
	return (a->chunked ? a->chunk.done : !a->to_close &&
	    a->len >= a->want);
}

static void
api_took(struct api_call *a, char *p, size_t len)
{
	int	r = body_add(a, p, len);

	if (r == 1)
		api_whole(a);
	else if (r == -1)
		api_fail(a, "an answer that cannot be read");
}

static void
api_body(evutil_socket_t fd, short what, void *arg)
{
	struct api_call	*a = arg;
	ssize_t		 n;

	(void)fd;
	(void)what;
	n = sock_read(&a->sock, a->x.buf, a->x.size);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		if (sock_pending(&a->sock))
			event_active(&a->ev_body, EV_READ, 0);
		api_took(a, a->x.buf, (size_t)n);
	} else if (n == 0 && a->to_close)
		api_whole(a);
	else
		api_fail(a, "the answer is cut off");
}

static void
api_whole(struct api_call *a)
{
	struct api_answer	 answer = { .status = a->status, .why = "",
				    .asked = a->asked, .body = a->body,
				    .len = a->len, .sock = &a->sock };
	cJSON			*doc;

	doc = cJSON_ParseWithLength(a->body, a->len);
	answer.doc = doc;
	event_del(&a->ev_body);
	a->reading = 0;
	if (!a->keep || a->to_close)
		sock_close(&a->sock);
	a->fn(a->arg, &answer);
	cJSON_Delete(doc);
	api_free(a);
}

static void
api_late(void *arg)
{
	api_fail(arg, "no answer in time");
}

static void
api_fail(struct api_call *a, const char *why)
{
	struct sock		none = { .fd = -1 };
	struct api_answer	answer = { .why = why, .asked = a->asked,
				    .sock = &none };

	a->fn(a->arg, &answer);
	api_free(a);
}

/* A ticket is in the body; the token in the request, if that was not sent. */
static void
api_free(struct api_call *a)
{
	timer_del(&a->timer);
	if (a->reading)
		event_del(&a->ev_body);
	if (a->dial != NULL)
		dial_cancel(a->dial);
	if (a->via != NULL)
		via_cancel(a->via);
	exchange_stop(&a->x);
	if (a->x.request != NULL)
		freezero(a->x.request, REQUEST_MAX);
	if (a->x.buf != NULL)
		freezero(a->x.buf, HEAD_SIZE);
	if (a->body != NULL)
		freezero(a->body, a->size);
	sock_close(&a->sock);
	free(a);
}

void
api_cancel(struct api_call *a)
{
	api_free(a);
}

const char *
api_text(const cJSON *o, const char *name)
{
	const char	*s = cJSON_GetStringValue(
			    cJSON_GetObjectItemCaseSensitive(o, name));

	return (s == NULL ? "" : s);
}

/* As the token itself says, in the middle of its three parts. */
static int
token_is_over(void)
{
	const char	*part = strchr(relay.token, '.');
	uint8_t		*text = NULL;
	cJSON		*doc = NULL, *exp;
	size_t		 len, size;
	int		 over = 0;

	if (part == NULL || (size = strcspn(++part, ".")) == 0 ||
	    (text = malloc(size)) == NULL)
		return (0);
	if (sodium_base642bin(text, size, part, size, NULL, &len, NULL,
	    sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0 &&
	    (doc = cJSON_ParseWithLength((char *)text, len)) != NULL) {
		exp = cJSON_GetObjectItemCaseSensitive(doc, "exp");
		over = cJSON_IsNumber(exp) &&
		    exp->valuedouble < (double)clock_wall();
	}
	cJSON_Delete(doc);
	freezero(text, size);
	return (over);
}

/* What it means where the server does not say so, and what to do. */
static const char *
advice(const struct api_answer *answer, int is_bare)
{
	static const struct {
		int		 status, slot, bare;	/* bare -1: both */
		const char	*text;
	} rows[] = {
		{ 401, 1, -1, "the token is of neither side of this session: "
		    "check SWSRS_TOKEN or --token-file" },
		{ 404, 1, -1, "there is no such session, or it is over: check "
		    "SWSRS_SESSION or --session, and the address" },
		{ 401, 0, 1, "the relay wants a token of its identity provider: "
		    "relay auth, or --token-file" },
		{ 404, 0, 1, "no relay sessions are made there: check the "
		    "address, --url or SWSRS_ADMIN_URL" },
		{ 401, 0, 0, "relayctl token create makes one, see relayctl(8)" },
	};
	size_t	i;

	if (answer->status == 401 && !relay.slot && token_is_over())
		return ("it has expired");
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].status == answer->status &&
		    rows[i].slot == relay.slot &&
		    (rows[i].bare == -1 || rows[i].bare == is_bare))
			return (rows[i].text);
	return (answer->status == 404 && !cJSON_IsObject(answer->doc) ?
	    "no relayd answers there: check the address, --url or RELAY_URL" :
	    "");
}

/* The envelope's message, else the first line of a text; "" none. */
static void
server_says(char *dst, size_t size, const struct api_answer *answer)
{
	const char	*said = api_text(answer->doc, "message");
	char		 code[16];
	size_t		 len = strlen(said), n;

	if (len == 0 && !cJSON_IsObject(answer->doc) && answer->len > 0 &&
	    strchr("<{[", answer->body[0]) == NULL) {
		said = answer->body;
		while (len < answer->len && len < SAID_MAX &&
		    said[len] != '\n' && said[len] != '\r')
			len++;
		/* "404 page not found": one number is enough. */
		n = (size_t)snprintf(code, sizeof(code), "%d ",
		    answer->status);
		if (len > n && memcmp(said, code, n) == 0) {
			said += n;
			len -= n;
		}
	}
	log_escape(dst, size, said, len);
}

void
api_refusal(char why[API_WHY_SIZE], const struct api_answer *answer)
{
	char		 shown[API_WHY_SIZE / 2], asked[2 * ASKED_MAX] = "";
	const char	*said, *todo;

	/* What an administrator wrote with `token revoke`. */
	said = api_text(cJSON_GetObjectItemCaseSensitive(answer->doc, "data"),
	    "reason");
	server_says(shown, sizeof(shown), answer);
	todo = *said != '\0' ? "" : advice(answer,
	    strstr(answer->asked, "/api/") == NULL);
	/* A refusal in the API's own words needs no address. */
	if (!cJSON_IsObject(answer->doc))
		log_escape(asked, sizeof(asked), answer->asked,
		    strlen(answer->asked));
	snprintf(why, API_WHY_SIZE, "%d%s%s%s%s%s%s", answer->status,
	    *shown == '\0' ? "" : " ", shown, *asked == '\0' ? "" : " to ",
	    asked, *todo == '\0' ? "" : ": ", todo);
	if (*said == '\0')
		return;
	log_escape(shown, sizeof(shown), said, strlen(said));
	strlcat(why, ": ", API_WHY_SIZE);
	strlcat(why, shown, API_WHY_SIZE);
}
