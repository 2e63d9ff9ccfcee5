/* SPDX-License-Identifier: ISC */
/*
 * Grants: asked for once, shared by all connections with the same token, asked
 * again within the minute while they are in use, gone at authd's word.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "authd.h"
#include "base/compat.h"
#include "door/now.h"
#include "grant.h"
#include "imsg/imsg.h"
#include "base/log.h"
#include "upstream.h"

#define BUCKETS		1024
#define GRANTS_MAX	32768

LIST_HEAD(bucket, grant);

static struct {
	const struct grant_ops	*ops;
	struct bucket	 bucket[BUCKETS];
	size_t		 n;
	unsigned char	 secret[crypto_generichash_KEYBYTES];
	struct timer	 sweep;
} grants;

static int	grant_answered(struct chan *, struct imsg *, void *);
static void	grant_sweep(void *);
static void	grant_over(struct grant *);

void
grants_init(const struct grant_ops *ops)
{
	grants.ops = ops;
	crypto_generichash_keygen(grants.secret);
	timer_init(&grants.sweep, grant_sweep, NULL);
}

static struct bucket *
bucket_of(const uint8_t key[32])
{
	uint32_t	h;

	memcpy(&h, key, sizeof(h));
	return (&grants.bucket[h % BUCKETS]);
}

/* All that makes a difference to the answer, each of a length that is known. */
static void
grant_key(uint8_t key[32], const struct grant_ask *ask)
{
	crypto_generichash_state	st;
	struct {
		char	slug[SLUG_SIZE], sibling[UUID_SIZE];
		char	bearer;
	} what;

	memset(&what, 0, sizeof(what));
	strlcpy(what.slug, ask->slug, sizeof(what.slug));
	if (ask->sibling != NULL)
		strlcpy(what.sibling, ask->sibling->id, sizeof(what.sibling));
	what.bearer = (char)ask->bearer;
	crypto_generichash_init(&st, grants.secret, sizeof(grants.secret), 32);
	crypto_generichash_update(&st, (const unsigned char *)&what,
	    sizeof(what));
	crypto_generichash_update(&st, (const unsigned char *)ask->token,
	    ask->token_len);
	crypto_generichash_final(&st, key, 32);
}

struct grant *
grant_ref(struct grant *g)
{
	g->refs++;
	return (g);
}

void
grant_unref(struct grant *g)
{
	if (g == NULL || --g->refs > 0)
		return;
	session_unref(g->se);
	freezero(g, sizeof(*g));
}

/* authd may forget an id when nothing of it is left here. */
static void
grant_drop_id(struct grant *g, uint64_t id)
{
	struct chan	*c = link_chan();
	struct upstream	*st;

	if (id == 0 || c == NULL || (g->state == GRANT_GOOD && id == g->id))
		return;
	TAILQ_FOREACH(st, &g->streams, entry)
		if (st->gid == id)
			return;
	(void)say_grant_drop(c, 0, -1, &(struct msg_grant_drop){
	    .grant = id });
}

/* Out of the table: nothing new under it. What runs, runs on. */
static void
grant_over(struct grant *g)
{
	if (g->state == GRANT_OVER)
		return;
	g->state = GRANT_OVER;
	LIST_REMOVE(g, entry);
	grants.n--;
	call_cancel(&g->call);
	grants.ops->drop_idle(g);
	grant_drop_id(g, g->id);
	grant_unref(g);		/* the table's */
}

static int
grant_ask(struct grant *g, const struct addr *a, const struct grant_ask *ask,
    const char *request)
{
	static char	 text[TOKEN_SIZE];
	char		 addr[ADDR_SIZE];
	struct chan	*ch = link_chan();
	int		 r;

	if (ask->token_len >= sizeof(text))
		return (-1);
	if (call_start(&g->call, ch, AUTHD_CALL_MS, grant_answered, g) == 0)
		return (-1);
	g->asked_ms = clock_ms();
	memcpy(text, ask->token, ask->token_len);
	text[ask->token_len] = '\0';
	addr_print(a, addr);
	r = say_grant(ch, g->call.id, -1, &(struct msg_grant){
	    .token = text, .slug = ask->slug, .addr = addr,
	    .service = g->service, .request = request,
	    .bearer = (uint8_t)ask->bearer,
	    .sibling = ask->sibling != NULL ? ask->sibling->id : "" });
	sodium_memzero(text, ask->token_len);
	if (r == -1)
		call_cancel(&g->call);
	return (r);
}

static struct grant *
grant_new(const uint8_t key[32])
{
	struct grant	*g;

	if (grants.n >= GRANTS_MAX || (g = calloc(1, sizeof(*g))) == NULL)
		return (NULL);
	memcpy(g->key, key, sizeof(g->key));
	g->refs = 1;
	TAILQ_INIT(&g->waiters);
	TAILQ_INIT(&g->streams);
	TAILQ_INIT(&g->idle);
	LIST_INSERT_HEAD(bucket_of(key), g, entry);
	grants.n++;
	if (!timer_is_set(&grants.sweep))
		timer_set(&grants.sweep, GRANT_MS);
	return (g);
}

/* Grants that nobody has used for a while. */
static void
grant_sweep(void *arg)
{
	struct grant	*g, *next;
	uint64_t	 now = clock_ms();
	size_t		 i;

	(void)arg;
	for (i = 0; i < BUCKETS; i++)
		for (g = LIST_FIRST(&grants.bucket[i]); g != NULL; g = next) {
			next = LIST_NEXT(g, entry);
			if (g->state == GRANT_GOOD && now >= g->until_ms &&
			    !call_waits(&g->call) && TAILQ_EMPTY(&g->streams))
				grant_over(g);
		}
	if (grants.n > 0)
		timer_set(&grants.sweep, GRANT_MS);
}

int
grant_is_good(struct grant *g, const struct addr *a,
    const struct grant_ask *ask)
{
	uint64_t	now;

	if (g->state != GRANT_GOOD)
		return (0);
	now = now_ms();
	if (now >= g->until_ms)
		return (0);
	/* It may have been asked for since this turn began. */
	if (now >= g->asked_ms + GRANT_RENEW_MS && !call_waits(&g->call))
		(void)grant_ask(g, a, ask, "");
	return (1);
}

static struct grant *
grant_find(const uint8_t key[32])
{
	struct grant	*g;

	LIST_FOREACH(g, bucket_of(key), entry)
		if (sodium_memcmp(g->key, key, sizeof(g->key)) == 0)
			break;
	return (g);
}

struct grant *
grant_known(const struct addr *a, const struct grant_ask *ask)
{
	uint8_t		 key[32];
	struct grant	*g;

	grant_key(key, ask);
	g = grant_find(key);
	return (g != NULL && grant_is_good(g, a, ask) ? g : NULL);
}

int
grant_for(struct grant **gp, struct grant_wait *w,
    const struct grant_ask *ask)
{
	uint8_t		 key[32];
	struct tried	 tried;
	struct grant	*g;

	w->wait_s = 0;
	grant_key(key, ask);
	g = grant_find(key);
	if (g != NULL && grant_is_good(g, &w->addr, ask)) {
		*gp = g;
		return (1);
	}
	if (g == NULL) {
		tried_make(&tried, key, sizeof(key));
		if (ask->bearer != 2 && (w->wait_s = tried_wait(&w->addr,
		    &tried)) > 0)
			return (-2);
		if ((g = grant_new(key)) == NULL)
			return (-1);
		strlcpy(g->service, ask->service, sizeof(g->service));
		g->internal = ask->bearer == 2;
		g->tried = tried;
	}
	if (!call_waits(&g->call) &&
	    grant_ask(g, &w->addr, ask, w->request) == -1) {
		grant_over(g);
		return (-1);
	}
	w->g = g;
	TAILQ_INSERT_TAIL(&g->waiters, w, entry);
	return (0);
}

void
grant_wait_end(struct grant_wait *w)
{
	if (w->g == NULL)
		return;
	TAILQ_REMOVE(&w->g->waiters, w, entry);
	w->g = NULL;
}

/* Let all who wait go on; each looks at the table again. */
static void
grant_wake(struct grant *g, int status, const char *message)
{
	struct grant_wait	*w;

	while ((w = TAILQ_FIRST(&g->waiters)) != NULL) {
		grant_wait_end(w);
		w->woken(w, status, message);
	}
}

/*
 * It counts as one, however many wait; whose address has had too many before
 * hears that instead.
 */
static void
grant_wake_refused(struct grant *g, int status, const char *message)
{
	struct grant_wait	*w = TAILQ_FIRST(&g->waiters);
	uint32_t		 wait_s = w != NULL ? tried_bad(&w->addr,
				    &g->tried) : 0;

	while (w != NULL) {
		grant_wait_end(w);
		w->wait_s = wait_s;
		if (wait_s > 0)
			w->woken(w, 429, TRIED_TEXT);
		else
			w->woken(w, status, message);
		if ((w = TAILQ_FIRST(&g->waiters)) != NULL)
			wait_s = tried_over(&w->addr);
	}
}

/* 0: yes. A lifetime is the shorter of a minute and what authd says. */
static void
grant_good(struct grant *g, const struct msg_granted *in, struct session *se)
{
	uint64_t	 old = g->state == GRANT_GOOD ? g->id : 0;
	uint64_t	 life = GRANT_MS, expires = in->expires;
	int64_t		 wall = clock_wall();
	struct session	*before = g->se;

	if (expires <= (uint64_t)wall)
		life = 0;
	else if (expires - (uint64_t)wall < GRANT_MS / 1000)
		life = (expires - (uint64_t)wall) * 1000;
	if (before != NULL && before != se)
		grants.ops->drop_idle(g);
	g->state = GRANT_GOOD;
	g->id = in->grant;
	g->expires = expires;
	g->idle_max = in->idle_max;
	strlcpy(g->reference, in->reference, sizeof(g->reference));
	g->until_ms = g->asked_ms + life;
	g->se = session_ref(se);
	session_unref(before);
	if (old != g->id)
		grant_drop_id(g, old);
}

static int
grant_answered(struct chan *ch, struct imsg *m, void *arg)
{
	struct grant	*g = arg;
	struct session	*se;
	struct msg_granted	 in;

	(void)ch;
	if (m == NULL) {
		/* A running grant lives to its end and is asked for again. */
		if (g->state == GRANT_GOOD && TAILQ_EMPTY(&g->waiters))
			return (0);
		grant_ref(g);
		grant_over(g);
		grant_wake(g, 503, "service temporarily unavailable");
		grant_unref(g);
		return (0);
	}
	if (get_granted(m, &in) == -1)
		return (-1);
	grant_ref(g);
	if (in.status == 0 && (se = session_get(in.session)) == NULL)
		in.status = 503;
	if (in.status == 0) {
		if (!g->internal)
			tried_good(&g->tried);
		grant_good(g, &in, se);
		grant_wake(g, 0, NULL);
	} else {
		grant_over(g);
		if (!g->internal && (in.status == 401 || in.status == 403))
			grant_wake_refused(g, in.status, in.message);
		else
			grant_wake(g, in.status, in.message);
	}
	grant_unref(g);
	return (0);
}

void
grant_stream_add(struct grant *g, struct upstream *st)
{
	st->g = grant_ref(g);
	st->gid = g->id;
	TAILQ_INSERT_TAIL(&g->streams, st, entry);
}

void
grant_stream_del(struct grant *g, struct upstream *st)
{
	uint64_t	gid = st->gid;

	TAILQ_REMOVE(&g->streams, st, entry);
	st->g = NULL;
	grant_drop_id(g, gid);
	grant_unref(g);
}

void
grant_forget_all(void)
{
	struct grant	*g;
	size_t		 i;

	for (i = 0; i < BUCKETS; i++)
		while ((g = LIST_FIRST(&grants.bucket[i])) != NULL) {
			grant_ref(g);
			grant_over(g);
			grant_wake(g, 503, "service temporarily unavailable");
			grant_unref(g);
		}
}

int
grant_on_end(struct chan *ch, struct imsg *m)
{
	struct msg_grant_end	 in;
	struct grant	*g, *found = NULL;
	size_t		 i;

	(void)ch;
	if (get_grant_end(m, &in) == -1 || in.why >= END_COUNT || in.grant == 0)
		return (-1);
	for (i = 0; i < BUCKETS && found == NULL; i++)
		LIST_FOREACH(g, &grants.bucket[i], entry)
			if (g->state == GRANT_GOOD && g->id == in.grant) {
				found = grant_ref(g);
				break;
			}
	if (found != NULL)
		grant_over(found);
	grants.ops->cut(in.grant, end_reason_name(in.why));
	if (found != NULL) {
		/* Who waited for its renewal asks anew. */
		grant_wake(found, 0, NULL);
		grant_unref(found);
	}
	return (0);
}
