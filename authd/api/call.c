/* SPDX-License-Identifier: ISC */
/* The operator API: who calls, may they, and what has to be known. */
#include <cjson/cJSON.h>

#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "authd/core/grant.h"
#include "authd/core/may.h"
#include "authd/core/session.h"
#include "authd/cred/bearer.h"
#include "authd/msg/follow.h"
#include "authd/msg/handlers.h"
#include "authd/msg/internal.h"
#include "authd/now.h"
#include "authd/turn.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "proc/proc.h"

#define CALLS_MAX	512	/* that wait; more are answered 503 */
#define RUN_MS		5	/* then others are heard */

static void	api_ask(struct api_call *);
static void	api_known(const struct facts *, void *);

/* What authd adds to api.def: a row without its handler does not link. */
static const struct api_handler *const	handlers[API_OP_COUNT] = {
#define A(NAME, method, pattern, needs, body, word, text, params)	\
	[API_##NAME] = &api_##word,
#include "api/api.def"
#undef A
};

/* Who calls: operator-api.md, section 2. */

static int
is_api_key(const char *token)
{
	return (strncmp(token, "myk_", 4) == 0 ||
	    strncmp(token, "myo_", 4) == 0);
}

/* What the token itself says. */
static enum refusal
api_authenticate(struct api_call *call, const char *token)
{
	if (api_info(call->op)->needs == NEEDS_NOTHING)
		return (REFUSE_NOT);
	if (token[0] == '\0')
		return (REFUSE_ACCESS_NONE);
	if (is_api_key(token))
		return (REFUSE_PERMISSION);
	return (bearer_operator(token, &call->who));
}

static int
api_parse(struct api_call *call, const struct msg_api *in)
{
	call->op = in->op;
	strlcpy(call->addr, in->addr, sizeof(call->addr));
	strlcpy(call->session, in->session, sizeof(call->session));
	api_args_get(in, &call->args);
	call->invalid = in->invalid;
	call->until_ms = in->until_ms;
	return (api_info(call->op) == NULL || call->invalid > 1 ||
	    call->args.sort_direction > 1 ||
	    call->args.support_enabled > 1 ||
	    (call->args.status >> SYSTEM_STATES) != 0 ||
	    call->args.page > INT32_MAX ||
	    (in->grant != 0 && call->op != API_SERVICES) ? -1 : 0);
}

/* ---- those that wait ---- */

/*
 * Calls wait for their turn of the loop, so that what takes long is not begun
 * for somebody of whom is heard meanwhile that he has gone, and that others are
 * heard in between.
 */
static TAILQ_HEAD(, api_call)	calls = TAILQ_HEAD_INITIALIZER(calls);
static unsigned			ncalls;
static struct timer		next_calls;

static void
api_free(struct api_call *call)
{
	TAILQ_REMOVE(&calls, call, entry);
	ncalls--;
	freezero(call, sizeof(*call));
}

/* Has who asks gone, or is it too late for him? */
static int
call_is_gone(const struct api_call *call)
{
	return (call->gone || api_is_gone(&call->asker, call->until_ms));
}

static void
api_begin(struct api_call *call)
{
	enum refusal	no = call->no;

	call->begun = 1;
	if (call_is_gone(call)) {
		api_free(call);
		return;
	}
	if (api_is_busy(&call->asker))
		no = REFUSE_BUSY;
	else if (!peer_is_ready())
		no = REFUSE_STORE;
	if (no == REFUSE_NOT && api_info(call->op)->needs != NEEDS_NOTHING) {
		api_ask(call);
		return;
	}
	if (no == REFUSE_NOT)
		handlers[call->op]->fn(call, NULL);
	else
		api_refuse(call, no);
	api_free(call);
}

/* The first that has not begun. */
static struct api_call *
api_next(void)
{
	struct api_call	*call;

	TAILQ_FOREACH(call, &calls, entry)
		if (!call->begun)
			break;
	return (call);
}

static void
api_run(void *arg)
{
	struct api_call	*call;
	uint64_t	 until = clock_ms() + RUN_MS;

	(void)arg;
	while ((call = api_next()) != NULL) {
		log_request(call->asker.request);
		api_begin(call);
		log_request(NULL);
		if (clock_ms() >= until)
			break;
	}
	if (api_next() != NULL)
		timer_set(&next_calls, 0);
}

/* One proxyd leaves room for the others. */
static unsigned
calls_of(uint64_t instance)
{
	struct api_call	*call;
	unsigned	 n = 0;

	TAILQ_FOREACH(call, &calls, entry)
		n += call->asker.instance == instance;
	return (n);
}

int
api_on_api(struct chan *c, struct imsg *m)
{
	struct msg_api	 in;
	struct api_call	*call;
	struct asker	 asker;

	if (get_api(m, &in) == -1)
		return (-1);
	log_request(in.request);
	asker = asker_of(c, m);
	if (ncalls >= CALLS_MAX || calls_of(asker.instance) >= CALLS_MAX /
	    (grant_doors() > 1 ? 2 : 1) || (call = calloc(1, sizeof(*call))) == NULL) {
		api_no(&asker, REFUSE_BUSY, NULL);
		return (0);
	}
	TAILQ_INSERT_TAIL(&calls, call, entry);
	ncalls++;
	if (api_parse(call, &in) == -1) {
		api_free(call);
		return (-1);
	}
	call->asker = asker;
	call->internal = in.grant != 0;
	call->no = call->internal ? internal_again(peer_of(c), in.grant,
	    call->session, &call->who) : api_authenticate(call, in.token);
	if (next_calls.fn == NULL)
		timer_init(&next_calls, api_run, NULL);
	if (!timer_is_set(&next_calls))
		timer_set(&next_calls, 0);
	return (0);
}

int
api_on_gone(struct chan *c, struct imsg *m)
{
	struct msg_api_gone	 in;
	struct asker		 asker = asker_of(c, m);
	struct api_call		*call;

	if (get_api_gone(m, &in) == -1)
		return (-1);
	TAILQ_FOREACH(call, &calls, entry)
		if (call->asker.instance == asker.instance &&
		    call->asker.id == in.call)
			call->gone = 1;
	follow_gone(asker.instance, in.call);
	return (0);
}

/* ---- facts and handler ---- */

/* What is open is taken from memory, which is never behind. */
static void
api_ask(struct api_call *call)
{
	struct facts_keys	 keys = { .who = &call->who,
	    .session = call->session, .asker = call->asker.instance };
	unsigned		 needs = NEED_REVOKED | handlers[call->op]->needs;
	struct session		*se = NULL;

	if (api_hole(call->op, "id") == -1) {
		keys.system_id = call->args.system_id;
		keys.org_id = call->args.organization_id;
	} else if ((se = api_open(call)) != NULL) {
		needs &= ~(unsigned)NEED_SESSION;
		keys.system_id = se->row.system_id;
	} else if (session_id_check(call->session) == -1) {
		needs = NEED_REVOKED;
	} else {
		turn_flush();	/* it may have ended in this turn */
	}
	(void)facts_ask(needs, &keys, api_known, call);
}

static void
api_revoked(const struct api_call *call, const struct facts *f,
    enum refusal no)
{
	cJSON	*data = NULL;

	if (f->got_revoked == 0 && f->revoked.reason[0] != '\0' &&
	    (data = cJSON_CreateObject()) != NULL)
		cJSON_AddStringToObject(data, "reason", f->revoked.reason);
	api_refuse_with(call, no, data);
}

/* Was it open when the store was asked, and is not any more? */
static int
api_is_behind(const struct api_call *call, const struct facts *f)
{
	return ((handlers[call->op]->needs & NEED_SESSION) != 0 &&
	    f->got_session == FACT_NOT_ASKED &&
	    session_id_check(call->session) == 0 && api_open(call) == NULL);
}

/* Does the token permit what the call needs? */
static int
api_permits(const struct api_call *call)
{
	enum api_needs	needs = api_info(call->op)->needs;
	uint32_t	all = 1U << needs;

	/* As all that is about sessions: operator-api.md, 2. */
	if (needs == NEEDS_RECORDINGS)
		all |= 1U << NEEDS_CONNECT;
	return ((call->who.permits & all) == all);
}

static void
api_known(const struct facts *f, void *arg)
{
	struct api_call	*call = arg;
	enum refusal	 no;

	if (call_is_gone(call)) {
		api_free(call);
		return;
	}
	if ((no = may_act(f)) == REFUSE_NOT && api_permits(call) &&
	    api_is_behind(call, f)) {
		api_ask(call);
		return;
	}
	if (no != REFUSE_NOT)
		api_revoked(call, f, no);
	else if (!api_permits(call))
		api_refuse(call, REFUSE_PERMISSION);
	else if (api_is_busy(&call->asker))
		api_refuse(call, REFUSE_BUSY);
	else
		handlers[call->op]->fn(call, f);
	api_free(call);
}
