/* SPDX-License-Identifier: ISC */
#include <sodium.h>

#include <string.h>

#include "authd/cred/issuer.h"
#include "authd/cred/jwk.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "dialer.h"
#include "handlers.h"
#include "imsg/call.h"
#include "metrics/count.h"
#include "peer.h"
#include "proc/proc.h"

#define AGAIN_MIN_MS	1000	/* after a failure; doubled each time */
#define AGAIN_MAX_MS	60000
#define MORE_MS		3000	/* beyond what two documents may take */

/* One for each place of the configuration. */
static struct want {
	char		 issuer[ISSUER_SIZE];	/* whose place this is */
	struct timer	 next;
	struct call	 call;
	struct jwk_set	*building;	/* of the answer that comes */
	uint64_t	 asked_ms;	/* last; 0: never */
	uint64_t	 again_ms;	/* how long after a failure */
	int		 failing;	/* has been said in the log */
	char		 why[MESSAGE_SIZE];	/* the last failure */
	uint64_t	 next_ms;	/* when `next` is due */
} wants[CONF_ISSUERS_MAX];

static uint64_t	dialerd;		/* its instance; 0: not there */

static void	want_ask(void *);

static void
want_later(struct want *w, uint64_t ms)
{
	w->next_ms = clock_ms() + ms;
	timer_set(&w->next, ms);
}

/* Not all daemons that began together at the same moment. */
static uint64_t
about(uint64_t ms)
{
	return (ms - ms / 10 + randombytes_uniform((uint32_t)(ms / 5 + 1)));
}

/* How many have keys, and how many have none. */
static void
want_gauge(void)
{
	const struct issuer	*is;
	unsigned		 i, known = 0;

	for (i = 0; (is = issuer_at(i)) != NULL; i++)
		known += is->keys != NULL;
	gauge(CT_ISSUERS_KNOWN, known);
	gauge(CT_ISSUERS_UNKNOWN, i - known);
}

static unsigned
place_of(const struct want *w)
{
	return ((unsigned)(w - wants));
}

/* Keys that nobody has confirmed for so long are not believed any more. */
static void
want_expire(struct want *w)
{
	struct issuer	*is = issuer_at(place_of(w));

	if (is == NULL || is->keys == NULL ||
	    clock_ms() - is->got_ms < proc_conf()->keys_keep * 1000)
		return;
	log_warnx("oidc issuer %s: its keys are too old, and are forgotten",
	    is->url);
	jwk_set_free(is->keys);
	is->keys = NULL;
	want_gauge();
}

static void
want_failed(struct want *w, const char *why)
{
	jwk_set_free(w->building);
	w->building = NULL;
	want_expire(w);
	if (!w->failing)
		log_warnx("oidc issuer %s: no keys: %s; tried again until "
		    "there are", w->issuer, why);
	else
		log_debug("oidc issuer %s: no keys: %s", w->issuer, why);
	w->failing = 1;
	strlcpy(w->why, why, sizeof(w->why));
	count(CT_KEYS_FAILED);
	if (w->again_ms < AGAIN_MIN_MS)
		w->again_ms = AGAIN_MIN_MS;
	want_later(w, about(w->again_ms));
	w->again_ms *= 2;
	if (w->again_ms > AGAIN_MAX_MS)
		w->again_ms = AGAIN_MAX_MS;
}

static void
want_got(struct want *w, const struct msg_issuer_said *in)
{
	struct issuer	*is = issuer_at(place_of(w));
	int		 first = is->keys == NULL;

	jwk_set_free(is->keys);
	is->keys = w->building;
	w->building = NULL;
	is->got_ms = clock_ms();
	strlcpy(is->algs, in->algs, sizeof(is->algs));
	strlcpy(is->authorization, in->authorization,
	    sizeof(is->authorization));
	strlcpy(is->token, in->token, sizeof(is->token));
	strlcpy(is->device, in->device, sizeof(is->device));
	if (w->failing || first)
		log_info("oidc issuer %s: %zu keys", w->issuer,
		    jwk_set_count(is->keys));
	w->failing = 0;
	w->why[0] = '\0';
	w->again_ms = 0;
	count(CT_KEYS_GOT);
	want_gauge();
	want_later(w, about(proc_conf()->keys_refresh * 1000));
}

static int
want_said(struct chan *c, struct imsg *m, void *arg)
{
	struct want		*w = arg;
	struct msg_issuer_said	 in;

	(void)c;
	if (m == NULL) {
		want_failed(w, dialerd == 0 ? "dialerd has gone" :
		    "no answer in time");
		return (0);
	}
	if (get_issuer_said(m, &in) == -1) {
		want_failed(w, "a malformed answer");
		return (-1);
	}
	if (in.why[0] != '\0')
		want_failed(w, in.why);
	else if (jwk_set_count(w->building) == 0)
		want_failed(w, "none of its keys is one");
	else
		want_got(w, &in);
	return (0);
}

int
dialer_on_key(struct chan *c, struct imsg *m)
{
	struct msg_jwk_key	 in;
	struct want		*w;

	(void)c;
	if (get_jwk_key(m, &in) == -1)
		return (-1);
	for (w = wants; w < wants + CONF_ISSUERS_MAX; w++)
		if (call_waits(&w->call) && w->call.id == m->id)
			return (w->building == NULL ? 0 :
			    jwk_set_add(w->building, &in));
	return (0);		/* nobody wants to know any more */
}

static void
want_ask(void *arg)
{
	struct want		*w = arg;
	const struct peer	*pe = dialerd == 0 ? NULL : peer_find(dialerd);
	uint32_t		 id;

	want_expire(w);
	if (pe == NULL || call_waits(&w->call))
		return;		/* it will come; it will answer */
	jwk_set_free(w->building);
	w->building = jwk_set_new();
	id = call_start(&w->call, pe->chan, 2 * proc_conf()->keys_timeout *
	    1000 + MORE_MS, want_said, w);
	if (id == 0 || w->building == NULL) {
		call_cancel(&w->call);
		want_failed(w, "out of memory");
		return;
	}
	w->asked_ms = clock_ms();
	(void)say_issuer_ask(pe->chan, id, -1, &(struct msg_issuer_ask){
	    .issuer = w->issuer });
}

int
dialer_want(unsigned place)
{
	struct want	*w = &wants[place];
	uint64_t	 floor_ms = proc_conf()->keys_floor * 1000;
	uint64_t	 ago_ms = clock_ms() - w->asked_ms;

	if (call_waits(&w->call))
		return (1);
	if (w->asked_ms == 0 || ago_ms >= floor_ms) {
		want_ask(w);
		return (call_waits(&w->call));
	}
	if (!w->failing)
		want_later(w, floor_ms - ago_ms);
	return (0);
}

void
dialer_came(struct peer *pe)
{
	unsigned	i;

	dialerd = pe->instance;
	for (i = 0; i < proc_conf()->n_issuer; i++)
		want_ask(&wants[i]);
}

void
dialer_gone(struct peer *pe)
{
	if (dialerd == pe->instance)
		dialerd = 0;
}

void
dialer_each(void (*fn)(void *, const struct issuer_state *), void *arg)
{
	uint64_t	now = clock_ms();
	unsigned	i;

	for (i = 0; i < proc_conf()->n_issuer; i++)
		fn(arg, &(struct issuer_state){ .issuer = issuer_at(i),
		    .next_ms = call_waits(&wants[i].call) ||
		    wants[i].next_ms < now ? 0 : wants[i].next_ms - now,
		    .why = wants[i].why });
}

static void
want_clear(struct want *w)
{
	call_cancel(&w->call);
	timer_del(&w->next);
	jwk_set_free(w->building);
	w->building = NULL;
	w->issuer[0] = '\0';
	w->asked_ms = w->again_ms = w->next_ms = 0;
	w->failing = 0;
	w->why[0] = '\0';
}

void
dialer_reloaded(void)
{
	const struct conf	*conf = proc_conf();
	struct want		*w;
	unsigned		 i;

	issuers_reloaded(conf);
	for (i = 0; i < CONF_ISSUERS_MAX; i++) {
		w = &wants[i];
		if (i < conf->n_issuer &&
		    strcmp(w->issuer, conf->issuer[i]) == 0)
			continue;
		want_clear(w);
		if (i < conf->n_issuer) {
			strlcpy(w->issuer, conf->issuer[i],
			    sizeof(w->issuer));
			want_ask(w);
		}
	}
	want_gauge();
}

void
dialer_init(void)
{
	unsigned	i;

	for (i = 0; i < CONF_ISSUERS_MAX; i++)
		timer_init(&wants[i].next, want_ask, &wants[i]);
	dialer_reloaded();
}
