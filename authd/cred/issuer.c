/* SPDX-License-Identifier: ISC */
#include <cjson/cJSON.h>

#include <string.h>

#include "api/api.h"
#include "base/compat.h"
#include "issuer.h"
#include "jwk.h"
#include "proc/conf.h"

#define UNMAPPED	1000	/* the rank of a word without a line */
#define HEADER_MAX	2048	/* characters of a token's first part */

static struct issuer	issuers[CONF_ISSUERS_MAX];
static unsigned		nissuers;

/* ---- what is known of them ---- */

static void
issuer_forget(struct issuer *is)
{
	jwk_set_free(is->keys);
	memset(is, 0, sizeof(*is));
}

void
issuers_reloaded(const struct conf *conf)
{
	struct issuer	old[CONF_ISSUERS_MAX];
	unsigned	i, j, nold = nissuers;

	memcpy(old, issuers, sizeof(old));
	memset(issuers, 0, sizeof(issuers));
	nissuers = conf->n_issuer;
	for (i = 0; i < nissuers; i++) {
		for (j = 0; j < nold; j++)
			if (strcmp(old[j].url, conf->issuer[i]) == 0)
				break;
		if (j < nold) {
			issuers[i] = old[j];
			memset(&old[j], 0, sizeof(old[j]));
		}
		strlcpy(issuers[i].url, conf->issuer[i],
		    sizeof(issuers[i].url));
	}
	for (j = 0; j < nold; j++)
		issuer_forget(&old[j]);
}

void
issuers_clear(void)
{
	while (nissuers > 0)
		issuer_forget(&issuers[--nissuers]);
}

struct issuer *
issuer_at(unsigned place)
{
	return (place < nissuers ? &issuers[place] : NULL);
}

/* ---- the configuration's lines ---- */

/* "0\tmap\trole\ta\tb", see conf.h. */
struct rule {
	char		 copy[RULE_SIZE];
	const char	*of, *a, *b;
};

static int
rule_read(struct rule *r, const char *text, unsigned place, const char *word)
{
	char	*rest = r->copy, *at, *what;

	strlcpy(r->copy, text, sizeof(r->copy));
	at = strsep(&rest, "\t");
	what = strsep(&rest, "\t");
	r->of = strsep(&rest, "\t");
	r->a = strsep(&rest, "\t");
	r->b = rest;
	return (rest != NULL && at[0] == (char)('0' + place) &&
	    at[1] == '\0' && strcmp(what, word) == 0 ? 0 : -1);
}

/* From *i on the next such line about this issuer; `of` NULL: of anything. */
static int
rule_next(const struct conf *conf, unsigned place, enum issuer_word what,
    const char *of, unsigned *i, struct rule *r)
{
	static const char *const	words[] = {
#define X(NAME, word)	word,
		ISSUER_WORDS(X)
#undef X
	};

	while (*i < conf->n_issuer_rule)
		if (rule_read(r, conf->issuer_rule[(*i)++], place,
		    words[what]) == 0 && (of == NULL ||
		    strcmp(r->of, of) == 0))
			return (1);
	return (0);
}

/* ---- claims ---- */

static const struct cJSON *
claim_at(const struct cJSON *o, const char *name)
{
	const struct cJSON	*v;
	const char		*dot;
	char			 part[RULE_SIZE];

	if ((v = cJSON_GetObjectItemCaseSensitive(o, name)) != NULL)
		return (v);
	for (dot = strchr(name, '.'); dot != NULL; dot = strchr(dot + 1, '.')) {
		if ((size_t)(dot - name) >= sizeof(part))
			break;
		memcpy(part, name, (size_t)(dot - name));
		part[dot - name] = '\0';
		v = cJSON_GetObjectItemCaseSensitive(o, part);
		if (cJSON_IsObject(v))
			return (claim_at(v, dot + 1));
	}
	return (NULL);
}

unsigned
claim_words(const struct cJSON *payload, const char *name, claim_fn fn,
    void *arg)
{
	const struct cJSON	*v = claim_at(payload, name), *e;
	char			 copy[TOKEN_SIZE], *rest = copy, *word;
	unsigned		 n = 0;

	if (cJSON_IsString(v) &&
	    strlcpy(copy, v->valuestring, sizeof(copy)) < sizeof(copy))
		while ((word = strsep(&rest, " \t\r\n")) != NULL)
			if (word[0] != '\0') {
				fn(arg, word);
				n++;
			}
	if (!cJSON_IsArray(v))
		return (n);
	cJSON_ArrayForEach(e, v) {
		if (cJSON_IsString(e)) {
			fn(arg, e->valuestring);
			n++;
		}
	}
	return (n);
}

/* A time in whole seconds: 1, 0: absent, -1: not one. */
static int
claim_seconds(const struct cJSON *o, const char *name, int64_t *t)
{
	const struct cJSON	*v = cJSON_GetObjectItemCaseSensitive(o, name);

	if (v == NULL)
		return (0);
	if (!cJSON_IsNumber(v) || !(v->valuedouble >= 0) ||
	    !(v->valuedouble < 1e15))
		return (-1);
	*t = (int64_t)v->valuedouble;
	return (1);
}

/* ---- a token ---- */

static int
has_word(const struct cJSON *list, const char *word)
{
	const struct cJSON	*e;

	if (cJSON_IsString(list))
		return (strcmp(list->valuestring, word) == 0);
	if (cJSON_IsArray(list))
		cJSON_ArrayForEach(e, list)
			if (cJSON_IsString(e) &&
			    strcmp(e->valuestring, word) == 0)
				return (1);
	return (0);
}

static int
is_audience(const struct conf *conf, unsigned place, const struct cJSON *o,
    const char *wanted)
{
	const struct cJSON	*aud = cJSON_GetObjectItemCaseSensitive(o,
				    "aud");
	struct rule		 r;
	unsigned		 i = 0;

	if (wanted != NULL)
		return (wanted[0] == '\0' || has_word(aud, wanted));
	while (rule_next(conf, place, ISSUER_AUDIENCE, NULL, &i, &r))
		if (has_word(aud, r.a))
			return (1);
	return (0);
}

/* Google's tokens may leave the scheme out, which no other's may. */
static int
is_issuer(const char *url, const char *iss)
{
	return (strcmp(url, iss) == 0 ||
	    (strcmp(url, "https://accounts.google.com") == 0 &&
	    strcmp(iss, "accounts.google.com") == 0));
}

static enum token_said
check_claims(const struct conf *conf, const struct cJSON *o,
    const struct token_how *how, unsigned *place)
{
	const struct cJSON	*iss = cJSON_GetObjectItemCaseSensitive(o,
				    "iss");
	int64_t			 exp, t;
	unsigned		 i;
	int			 nbf, iat;

	for (i = 0; i < nissuers; i++)
		if (cJSON_IsString(iss) &&
		    is_issuer(issuers[i].url, iss->valuestring))
			break;
	if (i == nissuers)
		return (TOKEN_ISSUER);
	*place = i;
	if (!is_audience(conf, i, o, how->audience))
		return (TOKEN_AUDIENCE);
	if (claim_seconds(o, "exp", &exp) != 1 || exp + how->skew < how->now)
		return (TOKEN_EXPIRED);
	nbf = claim_seconds(o, "nbf", &t);
	if (nbf == -1 || (nbf == 1 && t > how->now + how->early))
		return (TOKEN_EARLY);
	iat = claim_seconds(o, "iat", &t);
	if (iat == -1 || (iat == 1 && t > how->now + how->early))
		return (TOKEN_EARLY);
	return (TOKEN_GOOD);
}

/*
 * What a header must not have: a key or where to find one, which would be the
 * token's own word for itself; what we would have to understand and do not; a
 * token in the token; something compressed.
 */
static int
has_forbidden(const struct cJSON *header)
{
	static const char *const	names[] = { "jwk", "jku", "x5u", "x5c",
	    "crit", "b64", "zip", "enc", "cty", "epk" };
	size_t				i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (cJSON_GetObjectItemCaseSensitive(header, names[i]) != NULL)
			return (1);
	return (0);
}

int
issuer_signs(const struct issuer *is, const char *alg)
{
	const char	*s = is->algs;
	size_t		 n = strlen(alg);

	if (*s == '\0')
		return (1);
	for (; *s != '\0'; s += strspn(s, " ")) {
		if (strncmp(s, alg, n) == 0 && (s[n] == ' ' || s[n] == '\0'))
			return (1);
		s += strcspn(s, " ");
	}
	return (0);
}

static enum token_said
check_signature(const struct cJSON *header, const char *token,
    const struct jwt_parts *p, const struct token_how *how, unsigned place)
{
	const struct cJSON	*alg, *kid;
	uint8_t			 sig[JWK_SIG_MAX];
	long			 n;

	alg = cJSON_GetObjectItemCaseSensitive(header, "alg");
	kid = cJSON_GetObjectItemCaseSensitive(header, "kid");
	if (jwt_has_twins(header) || has_forbidden(header) ||
	    !jwt_is_type(cJSON_GetObjectItemCaseSensitive(header, "typ")) ||
	    (kid != NULL && (!cJSON_IsString(kid) ||
	    strlen(kid->valuestring) >= KID_SIZE)))
		return (TOKEN_MALFORMED);
	if (!cJSON_IsString(alg) || !jwk_knows(alg->valuestring) ||
	    (how->advertised && !issuer_signs(&issuers[place],
	    alg->valuestring)))
		return (TOKEN_ALGORITHM);
	n = jwt_bytes(sig, sizeof(sig), p->signature, strlen(p->signature));
	if (n <= 0)
		return (TOKEN_SIGNATURE);
	if (issuers[place].keys == NULL)
		return (TOKEN_KEYS);
	switch (jwk_check(issuers[place].keys, alg->valuestring,
	    kid == NULL ? NULL : kid->valuestring, token,
	    (size_t)(p->signature - token) - 1, sig, (size_t)n)) {
	case JWK_GOOD:
		return (TOKEN_GOOD);
	case JWK_WRONG:
		return (TOKEN_SIGNATURE);
	default:
		return (TOKEN_KEY);
	}
}

enum token_said
issuer_open(const struct conf *conf, const char *token,
    const struct token_how *how, struct cJSON **payload, unsigned *place)
{
	struct jwt_parts	 p;
	struct cJSON		*header = NULL, *o = NULL;
	size_t			 head_len;
	enum token_said		 said = TOKEN_MALFORMED;

	*payload = NULL;
	if (jwt_split(token, &p) == 0) {
		head_len = (size_t)(p.payload - token) - 1;
		header = head_len <= HEADER_MAX ? jwt_json(token, head_len) :
		    NULL;
		o = jwt_json(p.payload,
		    (size_t)(p.signature - p.payload) - 1);
	}
	if (header != NULL && o != NULL &&
	    (said = check_claims(conf, o, how, place)) == TOKEN_GOOD)
		said = check_signature(header, token, &p, how, *place);
	/* Of few there are many: only now is it somebody's own fault. */
	if (said == TOKEN_GOOD && jwt_has_twins(o))
		said = TOKEN_MALFORMED;
	cJSON_Delete(header);
	if (said == TOKEN_GOOD)
		*payload = o;
	else
		cJSON_Delete(o);
	return (said);
}

/* ---- whom it is about ---- */

/* What the claim of this name is called there. */
static void
claim_name(const struct conf *conf, unsigned place, const char *of,
    const char *dflt, char dst[RULE_SIZE])
{
	struct rule	r;
	unsigned	i = 0;

	strlcpy(dst, rule_next(conf, place, ISSUER_CLAIM, of, &i, &r) ? r.a :
	    dflt, RULE_SIZE);
}

/* A claim that is text: 0, also when it is absent (""); -1: it does not fit. */
static int
claim_text(const struct conf *conf, unsigned place, const struct cJSON *o,
    const char *of, const char *dflt, char *dst, size_t size)
{
	const struct cJSON	*v;
	char			 name[RULE_SIZE];

	dst[0] = '\0';
	claim_name(conf, place, of, dflt, name);
	v = claim_at(o, name);
	if (v == NULL || !cJSON_IsString(v))
		return (0);
	return (strlcpy(dst, v->valuestring, size) < size ? 0 : -1);
}

struct look {
	const struct conf	*conf;
	unsigned		 place;
	struct operator		*who;
	unsigned		 n, best;	/* of words, of what was taken */
	char			*dst;
	size_t			 size;
	const char		*of;
	int			 bad;
};

/* Roles that mean something, the first has most: operator-api.md, 3. */
static unsigned
role_rank(const char *role)
{
	static const char *const	roles[] = { "owner", "distributor",
	    "reseller", "customer" };
	unsigned			i;

	for (i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if (strcasecmp(roles[i], role) == 0)
			break;
	return (i + 1);
}

static void
take(struct look *l, const char *word, unsigned rank)
{
	l->n++;
	if (l->best != 0 && rank >= l->best)
		return;
	l->best = rank;
	l->bad = strlcpy(l->dst, word, l->size) >= l->size;
}

/* `map` has the say if it is there; the first line that fits counts. */
static void
look_word(void *arg, const char *word)
{
	struct look	*l = arg;
	struct rule	 r;
	unsigned	 i = 0, any = 0, role = strcmp(l->of, "role") == 0;

	while (rule_next(l->conf, l->place, ISSUER_MAP, l->of, &i, &r)) {
		any = 1;
		if (strcmp(r.a, word) == 0) {
			take(l, r.b, role ? role_rank(r.b) : i);
			return;
		}
	}
	if (!any)
		take(l, word, role ? role_rank(word) : UNMAPPED);
}

/*
 * The organization, or the role: as configured, or out of a claim. Of several
 * roles it is the one that may most; several organizations say none, unless one
 * of them is mapped.
 */
static int
look_up(const struct conf *conf, unsigned place, const struct cJSON *o,
    const char *of, const char *dflt, char *dst, size_t size)
{
	struct look	l = { .conf = conf, .place = place, .dst = dst,
			    .size = size, .of = of };
	struct rule	r;
	char		name[RULE_SIZE];
	unsigned	i = 0;

	dst[0] = '\0';
	if (rule_next(conf, place, ISSUER_FIXED, of, &i, &r))
		return (strlcpy(dst, r.a, size) < size ? 0 : -1);
	claim_name(conf, place, of, dflt, name);
	claim_words(o, name, look_word, &l);
	if (l.n > 1 && l.best == UNMAPPED)
		dst[0] = '\0';
	return (l.bad ? -1 : 0);
}

static void
permit(struct operator *who, const char *word)
{
#define N(NAME, text)							\
	if (strcmp(word, text) == 0)					\
		who->permits |= 1U << NEEDS_##NAME;
	API_PERMISSIONS
#undef N
}

/* One word of theirs may be several of ours. */
static void
look_permission(void *arg, const char *word)
{
	struct look	*l = arg;
	struct rule	 r;
	unsigned	 i = 0;

	permit(l->who, word);
	while (rule_next(l->conf, l->place, ISSUER_MAP, l->of, &i, &r))
		if (strcmp(r.a, word) == 0)
			permit(l->who, r.b);
}

/* Whose tokens these are is part of the name: two may have one of the same. */
static int
user_id(const struct conf *conf, unsigned place, const struct cJSON *o,
    struct operator *who)
{
	char		sub[ID_SIZE];
	struct rule	r;
	unsigned	i = 0;

	if (claim_text(conf, place, o, "user", "sub", sub, sizeof(sub)) == -1 ||
	    sub[0] == '\0')
		return (-1);
	strlcpy(who->id, rule_next(conf, place, ISSUER_PREFIX, NULL, &i, &r) ?
	    r.a : "", sizeof(who->id));
	return (strlcat(who->id, sub, sizeof(who->id)) < sizeof(who->id) ? 0 :
	    -1);
}

int
issuer_operator(const struct conf *conf, unsigned place,
    const struct cJSON *o, struct operator *who)
{
	const struct cJSON	*jti = cJSON_GetObjectItemCaseSensitive(o,
				    "jti");
	struct look		 l = { .conf = conf, .place = place,
				    .who = who, .of = "permission" };
	char			 name[RULE_SIZE];

	memset(who, 0, sizeof(*who));
	if (claim_seconds(o, "exp", &who->expires) != 1 ||
	    user_id(conf, place, o, who) == -1 ||
	    claim_text(conf, place, o, "name", "name", who->name,
	    sizeof(who->name)) == -1 ||
	    look_up(conf, place, o, "organization", "organization_id",
	    who->org_id, sizeof(who->org_id)) == -1 ||
	    look_up(conf, place, o, "role", "org_role", who->org_role,
	    sizeof(who->org_role)) == -1)
		return (-1);
	if (jti != NULL && (!cJSON_IsString(jti) || strlcpy(who->token_id,
	    jti->valuestring, sizeof(who->token_id)) >=
	    sizeof(who->token_id)))
		return (-1);
	claim_name(conf, place, "permission", "scope", name);
	claim_words(o, name, look_permission, &l);
	return (0);
}
