/* SPDX-License-Identifier: ISC */
#include <cjson/cJSON.h>

#include <stdlib.h>
#include <string.h>

#include "authd/core/services.h"
#include "authd/core/session.h"
#include "authd/store/store.h"
#include "base/compat.h"
#include "base/log.h"
#include "base/wipe_json.h"
#include "command.h"
#include "imsg/call.h"
#include "manifest.h"
#include "peer.h"

#define MARGIN_S	2	/* beyond what muxd has for it */
#define AGAIN_S		120	/* a client that is provisioning may take it */
#define AGAIN_MANY	10	/* in one command */
#define RETRY_MS	5000	/* the store, or memory, was not there */
#define RETRIES		60

struct sent {
	struct call	call;
	command_fn	fn;
	void		*arg;
};

static int
commanded(struct chan *c, struct imsg *m, void *arg)
{
	struct msg_commanded	 in = { .status = 504,
	    .message = "no answer from the client" };
	struct sent		*s = arg;
	char			 text[MESSAGE_SIZE];
	int			 r = 0;

	(void)c;
	if (m != NULL && (get_commanded(m, &in) == -1 ||
	    (in.status != 0 && in.status != 409 && in.status != 422 &&
	    in.status != 503 && in.status != 504))) {
		in.status = 504;
		in.message = "no answer from the client";
		r = -1;
	}
	log_escape(text, sizeof(text), in.message, strlen(in.message));
	s->fn(s->arg, in.status, text);
	free(s);
	return (r);
}

int
command_send(struct session *se, cJSON *command, uint32_t wait_s,
    command_fn fn, void *arg)
{
	struct tunnel	*t = session_tunnel(se);
	struct peer	*pe = t != NULL ? peer_find(t->instance) : NULL;
	struct sent	*s;
	char		*json = wipe_print(command);
	uint32_t	 id = 0;

	cJSON_Delete(command);
	if (pe != NULL && json != NULL && strlen(json) <= CHUNK_MAX &&
	    (s = calloc(1, sizeof(*s))) != NULL) {
		s->fn = fn;
		s->arg = arg;
		id = call_start(&s->call, pe->chan, (uint64_t)(wait_s +
		    MARGIN_S) * 1000, commanded, s);
		if (id == 0)
			free(s);
		else
			(void)say_command(pe->chan, id, -1,
			    &(struct msg_command){ .wait_s = wait_s,
			    .json = { json, strlen(json) } });
	}
	cJSON_free(json);
	return (id != 0 ? 0 : -1);
}

cJSON *
command_add(void)
{
	cJSON	*o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "action", "add_services");
	cJSON_AddObjectToObject(o, "services");
	return (o);
}

/* A client that does not know `tcp` passes over it. */
void
command_add_service(cJSON *command, const struct added_row *r)
{
	cJSON	*o = cJSON_AddObjectToObject(cJSON_GetObjectItem(command,
		    "services"), r->name);

	cJSON_AddStringToObject(o, "target", r->target);
	cJSON_AddStringToObject(o, "host", "");
	cJSON_AddBoolToObject(o, "tls", r->tls);
	cJSON_AddStringToObject(o, "label", r->label);
	if (r->tcp)
		cJSON_AddTrueToObject(o, "tcp");
}

cJSON *
command_remove(const char *name)
{
	cJSON	*o = cJSON_CreateObject(), *names;

	cJSON_AddStringToObject(o, "action", "remove_services");
	names = cJSON_AddArrayToObject(o, "service_names");
	cJSON_AddItemToArray(names, cJSON_CreateString(name));
	return (o);
}

/*
 * Again after a reconnect. What is wrong with one spoils the whole command, so
 * those of one that was refused are then sent one by one.
 */
struct again {
	uint64_t		 instance;
	char			 session[UUID_SIZE];
	size_t			 n, next, sent;
	size_t			 single;	/* up to here one by one */
	struct added_row	 row[];
};

static struct timer	retry;		/* of all peers whose mux.wants it */

static void	again_next(struct again *);
static void	restore_all(void *);

/* What was added to its session could not be had, or said: it is tried again. */
static void
again_later(struct peer *pe, const char *session)
{
	if (pe->mux.retries == 0)
		log_warnx("session %s: what was added waits", session);
	if (pe->mux.retries++ == RETRIES) {
		log_warnx("session %s: what was added is not there again",
		    session);
		return;
	}
	pe->mux.wants = 1;
	if (retry.fn == NULL)
		timer_init(&retry, restore_all, NULL);
	if (!timer_is_set(&retry))
		timer_set(&retry, RETRY_MS);
}

/* They are there again, and are what they were. */
static void
again_there(const struct added_row *r, size_t n, const char *session)
{
	struct session	*se = session_find(session);
	size_t		 i;
	int		 news = 0;

	for (i = 0; se != NULL && i < n; i++)
		if (r[i].tcp)
			news |= services_set_tcp(se->services, r[i].name,
			    r[i].target, 1);
	if (news)
		manifest_push(se);
}

static void
again_answered(void *arg, int status, const char *text)
{
	struct again	*a = arg;

	if (status == 0)
		again_there(&a->row[a->next - a->sent], a->sent, a->session);
	if (status == 422 && a->sent > 1) {
		a->single = a->next;
		a->next -= a->sent;
	} else if (status != 0) {
		log_info("session %s: not there again, %zu service%s: %s",
		    a->session, a->sent, PLURAL(a->sent), text);
	}
	if (status == 0 || status == 422)
		again_next(a);
	else
		free(a);
}

static void
again_next(struct again *a)
{
	struct peer		*pe = peer_find(a->instance);
	struct session		*se = pe != NULL ? peer_session(pe) : NULL;
	const struct added_row	*r;
	cJSON			*o;
	size_t			 many = a->next < a->single ? 1 : AGAIN_MANY;

	if (se == NULL || strcmp(se->row.id, a->session) != 0 ||
	    a->next == a->n) {
		free(a);
		return;
	}
	o = command_add();
	for (a->sent = 0; a->next < a->n && a->sent < many; a->sent++) {
		r = &a->row[a->next++];
		command_add_service(o, r);
	}
	if (command_send(se, o, AGAIN_S, again_answered, a) == -1) {
		again_later(pe, a->session);
		free(a);
	}
}

static void
again_known(const struct answer *ans, void *arg)
{
	struct again	*a, *key = arg;
	struct peer	*pe = peer_find(key->instance);
	struct session	*se = pe != NULL ? peer_session(pe) : NULL;
	size_t		 i;

	if (se == NULL) {
		free(key);
		return;
	}
	if (ans->r == 0 && (a = calloc(1, sizeof(*a) +
	    ans->n * sizeof(a->row[0]))) != NULL) {
		a->instance = key->instance;
		strlcpy(a->session, key->session, sizeof(a->session));
		/* What was found since has its name; what stayed is there. */
		again_there(ans->added, ans->n, se->row.id);
		for (i = 0; i < ans->n; i++)
			if (services_find(se->services,
			    ans->added[i].name) == NULL)
				a->row[a->n++] = ans->added[i];
		again_next(a);
	} else if (ans->r == 0 || ans->r == -1) {
		again_later(pe, key->session);
	}
	free(key);
}

/* Ask for what was added; the rest is again_known()'s. */
static void
restore(struct peer *pe, const struct session *se)
{
	struct again	*key;
	struct question	 q = { .what = ASK_ADDED };

	if ((key = calloc(1, sizeof(*key))) == NULL) {
		again_later(pe, se->row.id);
		return;
	}
	key->instance = pe->instance;
	strlcpy(key->session, se->row.id, sizeof(key->session));
	q.key = se->row.id;
	(void)store_ask(&q, again_known, key);
}

static void
restore_all(void *arg)
{
	struct session	*se;
	struct peer	*pe;

	(void)arg;
	TAILQ_FOREACH(pe, &peers, entry) {
		if (!peer_has(pe, RF_LOGIN) || !pe->mux.wants)
			continue;
		pe->mux.wants = 0;
		if ((se = peer_session(pe)) != NULL)
			restore(pe, se);
	}
}

void
command_restore(struct peer *pe)
{
	struct session	*se = peer_session(pe);

	if (pe->mux.restored || se == NULL)
		return;
	pe->mux.restored = 1;
	restore(pe, se);
}
