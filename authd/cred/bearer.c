/* SPDX-License-Identifier: ISC */
#include <cjson/cJSON.h>

#include <string.h>

#include "authd/msg/dialer.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/wipe.h"
#include "bearer.h"
#include "metrics/count.h"
#include "proc/proc.h"
#include "tls/crypto.h"

#define EARLY_S		300	/* rendezvous-protocol.md, 3 */

/* cJSON's requests are wipe.c's, libcrypto's crypto.c's. */
int
bearer_lacks(void)
{
	int	crypto = crypto_lacked();

	return (crypto || wipe_lacks());
}

/* Where a key is missing it is asked for: is it on its way? */
static enum token_said
missing(enum token_said said, unsigned place)
{
	if (said == TOKEN_KEYS)
		dialer_want(place);
	else if (said == TOKEN_KEY && !dialer_want(place))
		return (TOKEN_SIGNATURE);
	return (said);
}

static enum token_said
theirs(const char *token, const struct token_how *how, struct cJSON **payload,
    unsigned *place)
{
	enum token_said	said;

	said = issuer_open(proc_conf(), token, how, payload, place);
	said = said != TOKEN_GOOD && bearer_lacks() ? TOKEN_MEMORY :
	    missing(said, *place);
	count(said == TOKEN_GOOD ? CT_IDENTITY_GOOD : said == TOKEN_KEY ||
	    said == TOKEN_KEYS || said == TOKEN_MEMORY ?
	    CT_IDENTITY_UNKNOWN : CT_IDENTITY_REFUSED);
	return (said);
}

enum refusal
bearer_operator(const char *token, struct operator *who)
{
	const struct conf	*conf = proc_conf();
	struct token_how	 how = { .now = clock_wall(),
				    .skew = (int64_t)conf->clock_skew,
				    .early = (int64_t)conf->clock_skew };
	struct cJSON		*payload;
	enum token_said		 said;
	unsigned		 place = 0;
	int			 r;

	memset(who, 0, sizeof(*who));
	if ((payload = jwt_open(token)) != NULL) {
		r = claims_access(payload, conf->jwt_issuer,
		    conf->jwt_audience, how.now, who);
		cJSON_Delete(payload);
		return (r == -1 ? REFUSE_ACCESS : REFUSE_NOT);
	}
	if (bearer_lacks())
		return (REFUSE_BUSY);
	if (conf->n_issuer == 0)
		return (REFUSE_ACCESS);
	said = theirs(token, &how, &payload, &place);
	if (said == TOKEN_KEY || said == TOKEN_KEYS)
		return (said == TOKEN_KEY ? REFUSE_KEY : REFUSE_KEYS);
	if (said == TOKEN_MEMORY)
		return (REFUSE_BUSY);
	if (said != TOKEN_GOOD)
		return (REFUSE_ACCESS);
	r = issuer_operator(conf, place, payload, who);
	cJSON_Delete(payload);
	return (r == -1 ? REFUSE_ACCESS : REFUSE_NOT);
}

/* ---- for other uses ---- */

static void
add_scope(void *arg, const char *word)
{
	struct bearer	*b = arg;
	size_t		 n = strlen(b->scopes);

	/* What does not fit is not had. */
	if (n + strlen(word) + 2 > sizeof(b->scopes) ||
	    strpbrk(word, " \t\r\n") != NULL || word[0] == '\0')
		return;
	if (n > 0)
		strlcat(b->scopes, " ", sizeof(b->scopes));
	strlcat(b->scopes, word, sizeof(b->scopes));
}

static int
text_of(const struct cJSON *o, const char *name, char *dst, size_t size)
{
	const struct cJSON	*v = cJSON_GetObjectItemCaseSensitive(o, name);

	dst[0] = '\0';
	return (v == NULL || (cJSON_IsString(v) &&
	    strlcpy(dst, v->valuestring, size) < size) ? 0 : -1);
}

enum token_said
bearer_open(const char *token, const char *audience, struct bearer *b)
{
	struct token_how	 how = { .audience = audience,
				    .now = clock_wall(), .early = EARLY_S,
				    .advertised = 1 };
	const struct cJSON	*exp;
	struct cJSON		*o;
	enum token_said		 said;
	unsigned		 place = 0;

	memset(b, 0, sizeof(*b));
	if ((said = theirs(token, &how, &o, &place)) != TOKEN_GOOD)
		return (said);
	strlcpy(b->issuer, issuer_at(place)->url, sizeof(b->issuer));
	exp = cJSON_GetObjectItemCaseSensitive(o, "exp");
	b->expires = (int64_t)exp->valuedouble;
	if (text_of(o, "sub", b->subject, sizeof(b->subject)) == -1 ||
	    text_of(o, "azp", b->client, sizeof(b->client)) == -1 ||
	    (b->client[0] == '\0' && text_of(o, "client_id", b->client,
	    sizeof(b->client)) == -1))
		said = TOKEN_MALFORMED;
	claim_words(o, "scope", add_scope, b);
	claim_words(o, "scp", add_scope, b);
	cJSON_Delete(o);
	return (said);
}

int
bearer_has(const struct bearer *b, const char *scope)
{
	size_t		 n = strlen(scope);
	const char	*s;

	for (s = b->scopes; n > 0 && (s = strstr(s, scope)) != NULL; s += n)
		if ((s == b->scopes || s[-1] == ' ') &&
		    (s[n] == '\0' || s[n] == ' '))
			return (1);
	return (0);
}
