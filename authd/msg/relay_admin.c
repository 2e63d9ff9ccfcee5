/* SPDX-License-Identifier: ISC */
/* The rendezvous admin API: rendezvous-protocol.md, section 2. */
#include <cjson/cJSON.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authd/cred/bearer.h"
#include "authd/store/audit.h"
#include "authd/turn.h"
#include "base/compat.h"
#include "base/log.h"
#include "base/wipe.h"
#include "base/wipe_json.h"
#include "handlers.h"
#include "imsg/doc.h"
#include "peer.h"
#include "proc/proc.h"
#include "relay.h"

#define PREFIX	6
#define UNAVAILABLE	"service temporarily unavailable"

struct ask {
	struct asker		 asker;
	const struct msg_relay	*in;
	struct bearer		 who;
};

/* A `message` that is not "" is a plain error's. */
static void
relay_say(const struct ask *ask, int status, const char *message,
    cJSON *data)
{
	struct chan	*c = asker_chan(&ask->asker);
	char		*json = NULL;
	size_t		 len;

	if ((data != NULL || status == 200 || status == 201) && (wipe_lacks() ||
	    (data != NULL && (json = wipe_print(data)) == NULL))) {
		status = 503;
		message = UNAVAILABLE;
	}
	cJSON_Delete(data);
	len = json != NULL ? strlen(json) : 0;
	if (c != NULL) {
		(void)say_api_result(c, ask->asker.id, -1,
		    &(struct msg_api_result){ .status = (uint16_t)status,
		    .message = message, .total = (uint32_t)len });
		doc_say(c, ask->asker.id, json, len);
	}
	cJSON_free(json);
}

static void
relay_audit(const struct ask *ask, const char *id, const char *why)
{
	char		object[PREFIX + 1];
	struct audit	a = { .actor = ask->who.subject,
	    .address = ask->in->addr, .object = object, .reason = why,
	    .action = ask->in->op == RELAY_CREATE ? "relay_create" :
	    ask->in->op == RELAY_DELETE ? "relay_delete" : "relay_read" };

	strlcpy(object, id, sizeof(object));
	if (why != NULL)
		audit_stranger(&a);
	else
		audit_done(&a);
}

/* D21: one slash, however many the base has. */
static void
add_url(cJSON *o, const struct relay *r)
{
	const char	*base = proc_conf()->relay_base;
	size_t		 n = strlen(base);
	char		 url[320];

	if (n == 0)
		return;
	while (n > 0 && base[n - 1] == '/')
		n--;
	snprintf(url, sizeof(url), "%.*s/relay/%s", (int)n, base, r->id);
	cJSON_AddStringToObject(o, "initiator_url", url);
	cJSON_AddStringToObject(o, "responder_url", url);
}

/* A session that is made, until it is in the store. */
struct making {
	struct ask	 ask;
	char		 id[RELAY_TEXT];
	cJSON		*o;
};

static void
relay_made(void *arg, int ok)
{
	struct making	*k = arg;
	struct relay	*r;

	if (ok) {
		relay_say(&k->ask, 201, "", k->o);
	} else {
		if ((r = relay_find(k->id)) != NULL)
			relay_over(r, "could not be stored", "", 0);
		cJSON_Delete(k->o);
		relay_say(&k->ask, 503, UNAVAILABLE, NULL);
	}
	freezero(k, sizeof(*k));
}

static void
relay_say_later(const struct ask *ask, const struct relay *r, cJSON *o)
{
	struct making	*k = calloc(1, sizeof(*k));

	if (k == NULL) {
		cJSON_Delete(o);
		relay_say(ask, 503, UNAVAILABLE, NULL);
		return;
	}
	k->ask = *ask;
	k->ask.in = NULL;	/* borrowed */
	strlcpy(k->id, r->id, sizeof(k->id));
	k->o = o;
	turn_after(relay_made, k);
}

static void
relay_create(const struct ask *ask)
{
	const struct msg_relay	*in = ask->in;
	char			 tokens[SLOT_COUNT][RELAY_TEXT];
	struct relay		*r;
	cJSON			*o;
	const char		*why;
	int			 status;

	if (in->channels > RELAY_CHANNELS) {
		relay_say(ask, 400, "channels: 1 to 256", NULL);
		return;
	}
	if ((o = cJSON_CreateObject()) == NULL) {
		relay_say(ask, 503, UNAVAILABLE, NULL);
		return;
	}
	r = relay_new(ask->who.subject, &status, &why, tokens);
	if (r == NULL) {
		cJSON_Delete(o);
		relay_audit(ask, "", why);
		relay_say(ask, status, why, NULL);
		return;
	}
	strlcpy(r->issuer, ask->who.issuer, sizeof(r->issuer));
	strlcpy(r->client, ask->who.client, sizeof(r->client));
	strlcpy(r->addr, in->addr, sizeof(r->addr));
	strlcpy(r->label, in->label, sizeof(r->label));
	if (in->channels != 0)
		r->channels = in->channels;
	if (in->ttl != 0 && in->ttl < proc_conf()->relay_lifetime)
		relay_keep(r, (int64_t)in->ttl * 1000);
	relay_note(r, "create", 0, SLOT_COUNT, 0, in->addr);
	relay_audit(ask, r->id, NULL);
	cJSON_AddStringToObject(o, "id", r->id);
	cJSON_AddStringToObject(o, "initiator_token", tokens[SLOT_INITIATOR]);
	cJSON_AddStringToObject(o, "responder_token", tokens[SLOT_RESPONDER]);
	add_url(o, r);
	relay_add_time(o, "created_at", r->created);
	relay_add_time(o, "expires_at", r->expires);
	if (in->channels != 0)
		cJSON_AddNumberToObject(o, "channels", r->channels);
	explicit_bzero(tokens, sizeof(tokens));
	relay_add(r);
	relay_say_later(ask, r, o);
}

static cJSON *
relay_status(const struct relay *r)
{
	static const char *const	states[] = { "pending", "half_open",
	    "open" };
	cJSON				*o = cJSON_CreateObject();
	unsigned			 i, n, most = 0, any = 0;

	for (i = 0; i < r->channels; i++) {
		any |= r->seats[i];
		n = (r->seats[i] & 1U) + (r->seats[i] >> 1 & 1U);
		most = n > most ? n : most;
	}
	cJSON_AddStringToObject(o, "id", r->id);
	cJSON_AddStringToObject(o, "state", states[most]);
	relay_add_time(o, "created_at", r->created);
	relay_add_time(o, "expires_at", r->expires);
	relay_add_time(o, "last_activity", r->moved);
	cJSON_AddNumberToObject(o, "bytes_in", (double)r->bytes_in);
	cJSON_AddNumberToObject(o, "bytes_out", (double)r->bytes_out);
	cJSON_AddBoolToObject(o, "initiator_connected", any & 1);
	cJSON_AddBoolToObject(o, "responder_connected", any >> 1 & 1);
	if (proc_conf()->relay_audit)
		cJSON_AddItemToObject(o, "audit", relay_audit_member(r));
	return (o);
}

/* A list of ours, to which comes what no member has that is alive. */
struct listing {
	struct ask	 ask;
	cJSON		*o, *list;
	int		 lacks;		/* memory, for some of it */
	char		 after[RELAY_TEXT];
};

static void	list_more(struct listing *);

static void
list_end(struct listing *l, int ok)
{
	if (!ok) {
		cJSON_Delete(l->o);
		relay_say(&l->ask, 503, UNAVAILABLE, NULL);
	} else
		relay_say(&l->ask, 200, "", l->o);
	freezero(l, sizeof(*l));
}

static void
list_known(const struct answer *a, void *arg)
{
	struct listing	*l = arg;
	struct relay	 r;
	cJSON		*row;
	size_t		 i;

	for (i = 0; i < a->n; i++) {
		strlcpy(l->after, a->relay[i].id, sizeof(l->after));
		if (relay_from_row(&r, &a->relay[i]) == -1 ||
		    relay_find(r.id) != NULL)
			continue;
		row = relay_status(&r);
		cJSON_AddStringToObject(row, "member", "");
		cJSON_AddItemToArray(l->list, row);
	}
	explicit_bzero(&r, sizeof(r));
	l->lacks |= wipe_lacks();
	if (a->r != -1 && a->n == STORE_MANY && !l->lacks)
		list_more(l);
	else
		list_end(l, a->r != -1 && !l->lacks);
}

static void
list_more(struct listing *l)
{
	(void)store_ask(&(struct question){ .what = ASK_RELAYS_LOST,
	    .key = l->after, .now = clock_wall_ms(),
	    .asker = l->ask.asker.instance }, list_known, l);
}

/* Of several members one says it for all what is nobody's. */
static void
relay_list(const struct ask *ask)
{
	struct listing		*l = calloc(1, sizeof(*l));
	const struct relay	*r;

	if (l == NULL) {
		relay_say(ask, 503, UNAVAILABLE, NULL);
		return;
	}
	l->ask = *ask;
	l->ask.in = NULL;	/* borrowed */
	l->o = cJSON_CreateObject();
	l->list = cJSON_AddArrayToObject(l->o, "sessions");
	if (l->list == NULL) {
		list_end(l, 0);
		return;
	}
	TAILQ_FOREACH(r, &relays, entry)
		if (!r->expired)
			cJSON_AddItemToArray(l->list, relay_status(r));
	l->lacks = wipe_lacks();
	if (member_is_one() && member_is_first() && !l->lacks)
		list_more(l);
	else
		list_end(l, !l->lacks);
}

static void
add_text(cJSON *o, const char *name, const char *text)
{
	if (text[0] != '\0')
		cJSON_AddStringToObject(o, name, text);
}

/*
 * Where clients find the identity provider: the first that is configured. Until
 * it has answered there is nothing to say, and 404 would mean that no token is
 * needed (D15).
 */
static void
relay_discover(const struct ask *ask)
{
	static const char *const scopes[] = { "swsrs:session:create",
	    "swsrs:session:read", "swsrs:session:delete" };
	const struct issuer	*is = issuer_at(0);
	cJSON			*o;

	if (is == NULL || is->keys == NULL) {
		relay_say(ask, 503, UNAVAILABLE, NULL);
		return;
	}
	o = cJSON_CreateObject();
	add_text(o, "issuer", is->url);
	add_text(o, "audience", proc_conf()->relay_audience);
	cJSON_AddItemToObject(o, "scopes", cJSON_CreateStringArray(scopes, 3));
	add_text(o, "authorization_endpoint", is->authorization);
	add_text(o, "token_endpoint", is->token);
	add_text(o, "device_authorization_endpoint", is->device);
	add_text(o, "client_id_hint", proc_conf()->relay_client);
	relay_say(ask, 200, "", o);
}

static void
relay_run(const struct ask *ask)
{
	struct relay	*r = NULL;

	if (ask->in->op == RELAY_CREATE) {
		relay_create(ask);
		return;
	}
	if (ask->in->op == RELAY_DISCOVER) {
		relay_discover(ask);
		return;
	}
	if (ask->in->op == RELAY_LIST) {
		relay_list(ask);
		return;
	}
	r = relay_find(ask->in->session);
	if (r == NULL || r->expired) {
		relay_say(ask, 404, "404 page not found", NULL);
	} else if (ask->in->op == RELAY_SHOW) {
		relay_say(ask, 200, "", relay_status(r));
	} else if (ask->in->op == RELAY_HISTORY) {
		relay_say(ask, 200, "", relay_events(r));
	} else {
		relay_audit(ask, r->id, NULL);
		relay_over(r, "session closed", ask->in->addr, 0);
		relay_say(ask, 204, "", NULL);
	}
}

/* One that is asked for at a member that had it not. */
struct wanting {
	struct ask		ask;
	struct msg_relay	in;
	char			session[RELAY_TEXT], addr[ADDR_SIZE];
};

static void
relay_known(enum holder_at at, const struct member_row *m, void *arg)
{
	struct wanting	*k = arg;

	(void)m;
	log_request(k->ask.asker.request);
	if (at == HOLDER_HERE)
		relay_run(&k->ask);
	else
		relay_say(&k->ask, 503, UNAVAILABLE, NULL);
	log_request(NULL);
	freezero(k, sizeof(*k));
}

/* Is it about one session, with nothing to say but its id? */
static int
names_one(const struct ask *ask)
{
	return (ask->in->op == RELAY_SHOW || ask->in->op == RELAY_DELETE ||
	    ask->in->op == RELAY_HISTORY);
}

static void
relay_find_run(const struct ask *ask)
{
	const char	*id = ask->in->session;
	struct wanting	*k;

	if (!member_is_one() || strlen(id) != RELAY_ID || !names_one(ask)) {
		relay_run(ask);
		return;
	}
	/* Others may have it that think us gone. */
	if (member_is_silent()) {
		relay_say(ask, 503, UNAVAILABLE, NULL);
		return;
	}
	if ((k = calloc(1, sizeof(*k))) == NULL) {
		relay_say(ask, 503, UNAVAILABLE, NULL);
		return;
	}
	k->ask = *ask;
	k->in.op = ask->in->op;
	k->in.session = k->session;
	k->in.addr = k->addr;
	strlcpy(k->session, id, sizeof(k->session));
	strlcpy(k->addr, ask->in->addr, sizeof(k->addr));
	k->ask.in = &k->in;
	relay_where(id, ask->asker.instance, relay_known, k);
}

/* 0, or -1: refused. */
static int
relay_authorize(struct ask *ask)
{
	static const char *const	scopes[RELAY_OP_COUNT] = {
		[RELAY_CREATE] = "swsrs:session:create",
		[RELAY_LIST] = "swsrs:session:read",
		[RELAY_SHOW] = "swsrs:session:read",
		[RELAY_DELETE] = "swsrs:session:delete",
		[RELAY_HISTORY] = "swsrs:session:read",
	};
	static const char *const	words[] = {
		[TOKEN_MALFORMED] = "malformed",
		[TOKEN_ISSUER] = "wrong issuer",
		[TOKEN_AUDIENCE] = "wrong audience",
		[TOKEN_EXPIRED] = "expired",
		[TOKEN_EARLY] = "not yet valid",
		[TOKEN_ALGORITHM] = "bad algorithm",
		[TOKEN_SIGNATURE] = "bad signature",
	};
	enum token_said			 said;
	char				 text[128];
	int				 status = 401;

	if (proc_conf()->relay_no_auth || scopes[ask->in->op] == NULL)
		return (0);
	said = bearer_open(ask->in->token, proc_conf()->relay_audience,
	    &ask->who);
	if (said == TOKEN_KEY || said == TOKEN_KEYS || said == TOKEN_MEMORY) {
		relay_say(ask, 503, UNAVAILABLE, NULL);
		return (-1);
	}
	if (said != TOKEN_GOOD) {
		snprintf(text, sizeof(text), "invalid token: %s", words[said]);
	} else if (!bearer_has(&ask->who, scopes[ask->in->op])) {
		status = 403;
		snprintf(text, sizeof(text), "missing required scope: %s",
		    scopes[ask->in->op]);
	} else
		return (0);
	relay_audit(ask, "", text);
	relay_say(ask, status, text, NULL);
	return (-1);
}

int
relay_on_relay(struct chan *c, struct imsg *m)
{
	struct msg_relay	 in;
	struct ask		 ask;

	if (get_relay(m, &in) == -1 || in.op == 0 || in.op >= RELAY_OP_COUNT)
		return (-1);
	log_request(in.request);
	memset(&ask, 0, sizeof(ask));
	ask.asker = asker_of(c, m);
	ask.in = &in;
	if (!proc_conf()->relay || !peer_is_ready())
		relay_say(&ask, 503, UNAVAILABLE, NULL);
	else if (relay_authorize(&ask) == 0)
		relay_find_run(&ask);
	return (0);
}
