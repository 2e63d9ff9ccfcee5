/* SPDX-License-Identifier: ISC */
/* Watches and tokens: pairing-protocol.md, section 7. */
#include <sodium.h>

#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "pair_int.h"

#define WATCH_MS	300000
#define WATCHES_ONE	64	/* of one client */
#define WATCHES_MAX	65536	/* of all */
#define WATCHES		10	/* new ones of an address in a minute */
#define INITS		20
#define ASKS_ONE	4	/* that are asked about at once, of a client */
#define TOKEN_UNITS	4096
#define KEY_UNITS	256
#define ERROR_UNITS	128

static struct watch *
watch_find(const char *jti, size_t len)
{
	struct link	*l = index_find(&pair.by_jti, pairs_key(jti, len));
	struct watch	*w;

	for (; l != NULL; l = index_next(l)) {
		w = OWNER(l, struct watch, link);
		if (w->len == len && sodium_memcmp(w->jti, jti, len) == 0)
			return (w);
	}
	return (NULL);
}

static void
reject(struct client *c, const char *error)
{
	char	text[96];

	strlcpy(text, "{\"type\":\"bootstrap_reject\",\"error\":\"",
	    sizeof(text));
	strlcat(text, error, sizeof(text));
	strlcat(text, "\"}", sizeof(text));
	pair.count.rejects++;
	pair.count.limited += strcmp(error, "rate_limited") == 0;
	pairs_send(c, text, strlen(text));
}

/*
 * The one way out. Whose init lies with it will not be answered, and would wait
 * for ever: it is told, unless that is what has just happened.
 */
static void
watch_end(struct watch *w, int answered, uint64_t now)
{
	struct client	*t = w->target, *h = w->holder;

	index_del(&pair.by_jti, &w->link);
	TAILQ_REMOVE(&pair.watches, w, entry);
	TAILQ_REMOVE(&h->watches, w, of_holder);
	h->nwatches--;
	pair.count.watches--;
	freezero(w, sizeof(*w) + w->len);
	if (t != NULL) {
		t->given = NULL;
		if (!answered)
			reject(t, "no_watcher");
		pairs_busy(t, now);
	}
	pairs_busy(h, now);
}

/* NULL, or what is wrong. P16; section 7 on what is missing. */
static const char *
jti_read(const struct json_value *v, char jti[JTI_BYTES], size_t *len)
{
	size_t	units;
	long	n;

	if (v->kind == JSON_ABSENT || v->kind == JSON_NULL ||
	    (v->kind == JSON_STRING && v->len == 2))
		return ("missing_jti");
	n = json_string(v, jti, JTI_BYTES, &units);
	if (n == -1 || units > JTI_UNITS)
		return ("invalid_jti");
	*len = (size_t)n;
	return (NULL);
}

/* A SHA-256 in base64url. 0: none given, 1, -1: it is not one. */
static int
hash_read(const struct json_value *v, uint8_t hash[PAIR_HASH])
{
	char	text[HASH_TEXT];
	size_t	n, units;

	if (v->kind == JSON_ABSENT || v->kind == JSON_NULL)
		return (0);
	if (json_string(v, text, sizeof(text), &units) != HASH_TEXT ||
	    sodium_base642bin(hash, PAIR_HASH, text, HASH_TEXT, NULL, &n, NULL,
	    sodium_base64_VARIANT_URLSAFE_NO_PADDING) == -1 || n != PAIR_HASH)
		return (-1);
	return (1);
}

static size_t
add(char *dst, size_t at, const char *text)
{
	size_t	n = strlen(text);

	memcpy(dst + at, text, n);
	return (at + n);
}

static size_t
add_raw(char *dst, size_t at, const char *before, const struct json_value *v)
{
	at = add(dst, at, before);
	memcpy(dst + at, v->s, v->len);
	return (at + v->len);
}

static struct watch *
watch_new(struct client *c, const char *jti, size_t len)
{
	struct watch	*w;

	if (c->nwatches >= WATCHES_ONE || pair.count.watches >= WATCHES_MAX ||
	    (w = calloc(1, sizeof(*w) + len)) == NULL)
		return (NULL);
	memcpy(w->jti, jti, len);
	w->len = len;
	w->holder = c;
	index_add(&pair.by_jti, &w->link, pairs_key(jti, len));
	TAILQ_INSERT_TAIL(&pair.watches, w, entry);
	TAILQ_INSERT_TAIL(&c->watches, w, of_holder);
	c->nwatches++;
	pair.count.watches++;
	return (w);
}

void
boot_watch(struct client *c, const struct json_value *v,
    const struct json_value *hash, uint64_t now)
{
	static char	 text[PAIR_MESSAGE_MAX + 64];
	struct watch	*w;
	const char	*why;
	char		 jti[JTI_BYTES];
	uint8_t		 wanted[PAIR_HASH] = { 0 };
	size_t		 len = 0, n;
	int		 has;

	why = jti_read(v, jti, &len);
	if (why == NULL && (has = hash_read(hash, wanted)) == -1)
		why = "invalid_message";
	if (why != NULL) {
		pairs_error(c, why);
		return;
	}
	w = watch_find(jti, len);
	if (w == NULL || w->holder != c) {
		if (window_hit(&c->place->watches, WATCHES, now) == -1 ||
		    (w == NULL && (w = watch_new(c, jti, len)) == NULL)) {
			pairs_error(c, "rate_limited");
			return;
		}
		if (w->holder != c) {
			pairs_error(c, "jti_already_watched");
			return;
		}
	}
	w->since = now;
	w->has_hash = has;
	memcpy(w->token_hash, wanted, sizeof(wanted));
	TAILQ_REMOVE(&pair.watches, w, entry);
	TAILQ_INSERT_TAIL(&pair.watches, w, entry);
	pairs_busy(c, now);
	n = add_raw(text, 0, "{\"type\":\"bootstrap_watching\",\"jti\":", v);
	n = add(text, n, "}");
	pairs_send(c, text, n);
}

static int
is_string(const struct json_value *v, size_t most)
{
	static char	text[4 * TOKEN_UNITS];
	size_t		units;
	int		r;

	r = json_string(v, text, sizeof(text), &units) != -1 && units <= most;
	explicit_bzero(text, sizeof(text));
	return (r);
}

/* Does one of the token's parts name this jti? */
static int
token_names(const char *token, size_t len, const char *jti, size_t jti_len)
{
	static char		 text[TOKEN_UNITS];
	struct json_member	 m = { .name = "jti" };
	struct json_value	 whole;
	const char		*p, *end = token + len, *dot;
	char			 inside[JTI_BYTES];
	size_t			 n, units;
	int			 r = 0;

	for (p = token; !r && p < end; p = dot + 1) {
		if ((dot = memchr(p, '.', (size_t)(end - p))) == NULL)
			dot = end;
		m.value.kind = JSON_ABSENT;
		if (sodium_base642bin((uint8_t *)text, sizeof(text), p,
		    (size_t)(dot - p), NULL, &n, NULL,
		    sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0 &&
		    json_read(text, n, &whole, &m, 1) == 0)
			r = json_string(&m.value, inside, sizeof(inside),
			    &units) == (long)jti_len &&
			    sodium_memcmp(inside, jti, jti_len) == 0;
	}
	explicit_bzero(text, sizeof(text));
	return (r);
}

/* P17: is it the token that the watcher, or the jti, speaks of? */
static int
token_fits(const struct watch *w, const struct json_value *v)
{
	static char	token[3 * TOKEN_UNITS];
	uint8_t		hash[PAIR_HASH];
	size_t		units;
	long		n;
	int		r;

	n = json_string(v, token, sizeof(token), &units);
	crypto_hash_sha256(hash, (const uint8_t *)token, (size_t)n);
	r = (!w->has_hash || sodium_memcmp(hash, w->token_hash,
	    sizeof(hash)) == 0) && (!pair.limits.token_check ||
	    token_names(token, (size_t)n, w->jti, w->len));
	explicit_bzero(token, sizeof(token));
	return (r);
}

static void
ask_free(struct ask *a)
{
	index_del(&pair.by_ask, &a->link);
	if (a->client != NULL) {
		TAILQ_REMOVE(&a->client->asks, a, of_client);
		a->client->nasks--;
	}
	freezero(a, sizeof(*a) + a->text_len + a->jti_len);
}

static struct ask *
ask_new(struct client *c, const char *jti, size_t len, const char *text,
    size_t text_len)
{
	struct ask	*a;

	if (c->nasks >= ASKS_ONE ||
	    (a = calloc(1, sizeof(*a) + text_len + len)) == NULL)
		return (NULL);
	a->client = c;
	a->text_len = text_len;
	memcpy(a->text, text, text_len);
	a->jti = a->text + text_len;
	a->jti_len = len;
	memcpy(a->jti, jti, len);
	index_add(&pair.by_ask, &a->link, ++pair.next_ask);
	TAILQ_INSERT_TAIL(&c->asks, a, of_client);
	c->nasks++;
	return (a);
}

/* In any case it is asked whether the jti is consumed: that comes first. */
static void
init_ask(struct client *c, const char *jti, size_t len,
    const struct json_value *token, const char *text, size_t n, uint64_t now)
{
	const struct watch	*w = watch_find(jti, len);
	struct ask		*a;
	uint8_t			 hash[PAIR_HASH];

	if ((a = ask_new(c, jti, len, text, n)) == NULL) {
		reject(c, "relay_overloaded");
		return;
	}
	if (c->pending || c->given != NULL)
		a->refusal = "busy";
	else if (w == NULL || w->given)
		a->refusal = "no_watcher";
	else if (!token_fits(w, token))
		a->refusal = "token_mismatch";
	crypto_hash_sha256(hash, (const uint8_t *)jti, len);
	if (pair.ops->ask(a->link.key, hash, a->refusal == NULL) == -1) {
		ask_free(a);
		reject(c, "relay_overloaded");
	} else if (a->refusal == NULL) {
		c->pending = 1;
		watch_find(jti, len)->asked++;
		pairs_busy(c, now);
	}
}

void
boot_init(struct client *c, const struct json_value *v,
    const struct json_value *token, const struct json_value *key,
    uint64_t now)
{
	static char	 text[PAIR_MESSAGE_MAX + 96];
	const char	*why;
	char		 jti[JTI_BYTES];
	size_t		 len = 0, n;

	why = jti_read(v, jti, &len);
	if (why == NULL && (!is_string(token, TOKEN_UNITS) ||
	    !is_string(key, KEY_UNITS)))
		why = "invalid_request";
	if (why == NULL && window_hit(&c->place->inits, INITS, now) == -1)
		why = "rate_limited";
	if (why != NULL) {
		reject(c, why);
		return;
	}
	n = add_raw(text, 0, "{\"type\":\"bootstrap_init\",\"jti\":", v);
	n = add_raw(text, n, ",\"token\":", token);
	n = add_raw(text, n, ",\"targetPubKey\":", key);
	n = add(text, n, "}");
	init_ask(c, jti, len, token, text, n, now);
	explicit_bzero(text, n);
}

/* Consumed for it, or not. */
static void
init_known(struct client *c, const struct ask *a, enum pair_known known)
{
	struct watch	*w = watch_find(a->jti, a->jti_len);

	if (known == PAIR_USED)
		reject(c, "token_already_used");
	else if (known != PAIR_NEW)
		reject(c, "relay_overloaded");
	else if (a->refusal != NULL)
		reject(c, a->refusal);
	else if (w == NULL || w->given)
		reject(c, "no_watcher");
	else {
		w->given = 1;
		w->target = c;
		c->given = w;
		pair.count.bootstraps++;
		pairs_send(w->holder, a->text, a->text_len);
	}
}

void
pairs_known(uint64_t id, enum pair_known known, uint64_t now)
{
	struct link	*l = index_find(&pair.by_ask, id);
	struct ask	*a;
	struct client	*c;
	struct watch	*w;

	if (l == NULL)
		return;
	a = OWNER(l, struct ask, link);
	/* Another one of the jti may be there by now. */
	if (a->refusal == NULL && (w = watch_find(a->jti, a->jti_len)) !=
	    NULL && w->asked > 0)
		w->asked--;
	if ((c = a->client) != NULL) {
		if (a->refusal == NULL)
			c->pending = 0;
		init_known(c, a, known);
		pairs_busy(c, now);
	}
	ask_free(a);
}

/* P2, P5. */
void
boot_answer(struct client *c, int no, const struct json_value *v,
    const struct json_value keys[2], const struct json_value *sig,
    const struct json_value *error, uint64_t now)
{
	static char	 text[PAIR_MESSAGE_MAX + 128];
	struct watch	*w;
	char		 jti[JTI_BYTES];
	size_t		 len = 0, n;

	if (jti_read(v, jti, &len) != NULL ||
	    (w = watch_find(jti, len)) == NULL || w->holder != c ||
	    !w->given) {
		pair.count.strangers++;
		return;
	}
	if (w->target != NULL) {
		n = add_raw(text, 0, no ?
		    "{\"type\":\"bootstrap_reject\",\"jti\":" :
		    "{\"type\":\"bootstrap_ack\",\"jti\":", v);
		if (is_string(&keys[0], KEY_UNITS))
			n = add_raw(text, n, ",\"controllerPubKey\":",
			    &keys[0]);
		else if (is_string(&keys[1], KEY_UNITS))
			n = add_raw(text, n, ",\"controllerPubKey\":",
			    &keys[1]);
		if (is_string(sig, KEY_UNITS))
			n = add_raw(text, n, ",\"controllerSig\":", sig);
		if (is_string(error, ERROR_UNITS))
			n = add_raw(text, n, ",\"error\":", error);
		n = add(text, n, "}");
		pairs_send(w->target, text, n);
		explicit_bzero(text, n);
	}
	watch_end(w, 1, now);
}

/* Its watches end; of its init the watch stays, and its jti consumed: 46. */
void
boot_leave(struct client *c, uint64_t now)
{
	struct watch	*w;
	struct ask	*a;

	while ((w = TAILQ_FIRST(&c->watches)) != NULL)
		watch_end(w, 0, now);
	while ((a = TAILQ_FIRST(&c->asks)) != NULL) {
		TAILQ_REMOVE(&c->asks, a, of_client);
		a->client = NULL;
	}
	c->nasks = 0;
	c->pending = 0;
	if (c->given != NULL)
		c->given->target = NULL;
	c->given = NULL;
}

void
boot_tick(uint64_t now)
{
	struct watch	*w;

	while ((w = TAILQ_FIRST(&pair.watches)) != NULL &&
	    now - w->since >= WATCH_MS)
		watch_end(w, 0, now);
}

uint64_t
boot_due(void)
{
	const struct watch	*w = TAILQ_FIRST(&pair.watches);

	return (w != NULL ? w->since + WATCH_MS : UINT64_MAX);
}
