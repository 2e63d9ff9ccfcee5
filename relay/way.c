/* SPDX-License-Identifier: ISC */
#include <llhttp.h>
#include <sodium.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "base/compat.h"
#include "base/target.h"
#include "way.h"
#include "ws/ws.h"

#define OPEN_MS		130000	/* the client may dial its target */
#define TICKET_LEN	64
#define FIELDS_SIZE	9216	/* a token is 8 KiB at most */
#define PATH_SIZE	(TARGET_SERVICE_MAX + TICKET_LEN + 128)

struct way {
	const char	*service;
	const char	*terminal;	/* to come back to, NULL: a new one */
	way_fn		 fn;
	void		*arg;
	struct api_call	*call;
	char		 accept[WS_ACCEPT_LEN + 1];
};

static struct api_call	*way_slot(struct way *);
static void	way_ticket(void *, const struct api_answer *);
static void	way_upgrade(struct way *, const char *, struct sock *);
static void	way_answered(void *, const struct api_answer *);
static void	way_refused(struct way *, const struct api_answer *);
static void	way_end(struct way *, enum ended, const char *);

static struct way *
way_begin(const char *service, const char *terminal, way_fn fn, void *arg)
{
	struct way	*w = calloc(1, sizeof(*w));
	char		 path[PATH_SIZE], body[PATH_SIZE] = "{}";
	struct api_ask	 ask = { .method = HTTP_POST, .path = path,
			    .body = body, .ms = API_MS };

	if (w == NULL)
		return (NULL);
	w->service = service;
	w->terminal = terminal;
	w->fn = fn;
	w->arg = arg;
	if (relay.slot) {
		w->call = way_slot(w);
		if (w->call != NULL)
			return (w);
		free(w);
		return (NULL);
	}
	snprintf(path, sizeof(path), "/support-sessions/%s/%s-ticket%s%s",
	    relay.session, service == NULL ? "terminal" : "tcp",
	    terminal != NULL ? "?terminal=" : "",
	    terminal != NULL ? terminal : "");
	if (service != NULL)
		snprintf(body, sizeof(body), "{\"service\":\"%s\"}", service);
	if ((w->call = api_start(&ask, way_ticket, w)) != NULL)
		return (w);
	free(w);
	return (NULL);
}

struct way *
way_start(const char *service, way_fn fn, void *arg)
{
	return (way_begin(service, NULL, fn, arg));
}

struct way *
way_back(const char *terminal, way_fn fn, void *arg)
{
	return (way_begin(NULL, terminal, fn, arg));
}

/* What asks for the upgrade, but for the end of its fields. */
static void
way_key(struct way *w, char *fields, size_t size)
{
	uint8_t	nonce[16];
	char	key[WS_KEY_LEN + 1];

	randombytes_buf(nonce, sizeof(nonce));
	sodium_bin2base64(key, sizeof(key), nonce, sizeof(nonce),
	    sodium_base64_VARIANT_ORIGINAL);
	snprintf(fields, size, "Connection: Upgrade\r\nUpgrade: websocket\r\n"
	    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n", key);
	ws_accept_key(key, w->accept);
}

/* A relay session's slot needs no ticket. rendezvous-protocol.md, 4. */
static struct api_call *
way_slot(struct way *w)
{
	static char	 fields[FIELDS_SIZE];
	char		 path[PATH_SIZE];
	struct api_ask	 ask = { .method = HTTP_GET, .path = path, .bare = 1,
	    .fields = fields, .ms = API_MS };
	struct api_call	*call;
	size_t		 n;

	way_key(w, fields, sizeof(fields));
	n = strlen(fields);
	if ((size_t)snprintf(fields + n, sizeof(fields) - n,
	    "Authorization: Bearer %s\r\n", relay.token) >=
	    sizeof(fields) - n)
		return (NULL);
	snprintf(path, sizeof(path), "/relay/%s", relay.session);
	call = api_start(&ask, way_answered, w);
	explicit_bzero(fields, sizeof(fields));
	return (call);
}

static void
way_ticket(void *arg, const struct api_answer *answer)
{
	struct way	*w = arg;
	const char	*ticket;

	w->call = NULL;
	ticket = api_text(cJSON_GetObjectItemCaseSensitive(answer->doc,
	    "data"), "ticket");
	if (answer->status != 200 || strlen(ticket) != TICKET_LEN ||
	    strspn(ticket, "0123456789abcdef") != TICKET_LEN)
		way_refused(w, answer);
	else
		way_upgrade(w, ticket, answer->sock);
}

static void
way_upgrade(struct way *w, const char *ticket, struct sock *s)
{
	char		path[PATH_SIZE], fields[512];
	struct api_ask	ask = { .method = HTTP_GET, .path = path, .fields =
			    fields, .over = s->fd == -1 ? NULL : s,
			    .ms = OPEN_MS };

	way_key(w, fields, sizeof(fields));
	snprintf(path, sizeof(path), "/support-sessions/%s/%s%s?ticket=%s",
	    relay.session, w->service == NULL ? "terminal" : "tcp/",
	    w->service == NULL ? "" : w->service, ticket);
	strlcat(fields, w->service == NULL ?
	    "Sec-WebSocket-Protocol: relayd.terminal.1\r\n" :
	    "Sec-WebSocket-Protocol: half-close\r\n", sizeof(fields));
	if ((w->call = api_start(&ask, way_answered, w)) == NULL)
		way_end(w, ENDED_UNREACHED, "out of memory");
	explicit_bzero(path, sizeof(path));
}

static int
is_ours(const struct way *w, const struct httphead *head)
{
	const struct slice	*s;

	s = httphead_get(head, "Sec-WebSocket-Accept");
	return ((head->flags & HTTPHEAD_UPGRADE) &&
	    httphead_has_token(head, "Upgrade", "websocket") && s != NULL &&
	    slice_eq(s, w->accept) && (w->service == NULL || relay.slot ||
	    httphead_has_token(head, "Sec-WebSocket-Protocol", "half-close")));
}

static void
way_answered(void *arg, const struct api_answer *answer)
{
	struct way	*w = arg;

	w->call = NULL;
	if (answer->status != 101)
		way_refused(w, answer);
	else if (!is_ours(w, answer->head))
		way_end(w, ENDED_REFUSED, w->service == NULL ?
		    "the server has no terminals" : "the server has no TCP");
	else {
		w->fn(w->arg, ENDED_WELL, answer->sock, answer->rest,
		    answer->rest_len, "");
		free(w);
	}
}

static void
way_refused(struct way *w, const struct api_answer *answer)
{
	char	why[API_WHY_SIZE];

	if (answer->status == 0) {
		way_end(w, ENDED_UNREACHED, answer->why);
		return;
	}
	api_refusal(why, answer);
	way_end(w, answer->status >= 500 && answer->status != 502 ?
	    ENDED_UNREACHED : ENDED_REFUSED, why);
}

static void
way_end(struct way *w, enum ended how, const char *why)
{
	w->fn(w->arg, how, NULL, NULL, 0, why);
	free(w);
}

void
way_cancel(struct way *w)
{
	if (w->call != NULL)
		api_cancel(w->call);
	free(w);
}
