/* SPDX-License-Identifier: ISC */
/*
 * Good tokens without memory: each is looked at again and again while the first,
 * the second, the third ... request fails, be it cJSON's or libcrypto's. Nobody
 * hears that his token is bad, which would end what he does: it is good, or he may
 * ask again.
 */
#include <stdlib.h>

static int	 fail_at, asked;

static void *
flaky_malloc(size_t size)
{
	return (++asked == fail_at ? NULL : malloc(size));
}

static void *
flaky_realloc(void *p, size_t size)
{
	return (++asked == fail_at ? NULL : realloc(p, size));
}

#define malloc	flaky_malloc
#define realloc	flaky_realloc
/* NOLINTBEGIN(bugprone-suspicious-include) */
#include "base/wipe.c"
#include "tls/crypto.c"
/* NOLINTEND(bugprone-suspicious-include) */
#undef malloc
#undef realloc

#include <cjson/cJSON.h>

#include <string.h>

#include "authd/cred/bearer.h"
#include "authd/cred/jwk.h"
#include "authd/msg/dialer.h"
#include "dialerd/jwks.h"
#include "proc/conf.h"
#include "proc/proc.h"
#include "regress/lib/keys.h"
#include "regress/lib/tap.h"

#define KEY	"0123456789abcdef0123456789abcdef"

static struct conf	 conf;
static uint64_t		 now_ms = 1000;
static const char	*token;

/* What bearer.c asks of the process. */
const struct conf *
proc_conf(void)
{
	return (&conf);
}

int64_t
clock_wall(void)
{
	return (KEYS_AT);
}

uint64_t
clock_ms(void)
{
	return (now_ms);
}

int
dialer_want(unsigned place)
{
	(void)place;
	return (1);
}

static void
take(void *set, const struct jwk *k)
{
	(void)jwk_set_add(set, &(struct msg_jwk_key){
	    .kind = (uint8_t)k->kind, .kid = k->kid, .alg = k->alg,
	    .a = { k->a, k->a_len }, .b = { k->b, k->b_len } });
}

/* 1: good, 0: to be asked again, -1: refused. */
static int
own(void)
{
	struct operator	who;
	enum refusal	no = bearer_operator(token, &who);

	return (no == REFUSE_NOT ? 1 : no == REFUSE_BUSY ? 0 : -1);
}

static int
provider(void)
{
	struct bearer	b;
	enum token_said	said = bearer_open(token, "relayd", &b);

	return (said == TOKEN_GOOD ? 1 : said == TOKEN_MEMORY ? 0 : -1);
}

static void
each(const char *name, int (*look)(void))
{
	int	all, at, again = 0, wrong = 0;

	(void)look();		/* what is made once */
	fail_at = asked = 0;
	is_int(look(), 1, "%s: good", name);
	all = asked;
	for (at = 1; at <= all; at++) {
		now_ms += 2000;
		fail_at = at;
		asked = 0;
		switch (look()) {
		case 0:
			again++;
			break;
		case -1:
			if (wrong++ < 5)
				diag("%s: request %d", name, at);
		}
		fail_at = 0;
	}
	diag("%s: %d requests, %d times to be asked again", name, all, again);
	ok(again > 0 && wrong == 0, "%s: good, or to be asked again", name);
	now_ms += 2000;
	is_int(look(), 1, "%s: good again", name);
}

/* A bad one is bad, and with memory he hears so. */
static void
bad(void)
{
	struct operator	who;
	char		bent[] = TOKEN_RS256;

	now_ms += 2000;
	bent[strlen(bent) - 10] ^= 1;
	is_int(bearer_operator(bent, &who), REFUSE_ACCESS, "a bad token");
}

int
main(void)
{
	struct operator	 who = { .id = "u", .name = "U", .org_role = "owner",
	    .org_id = "o", .token_id = "t", .expires = KEYS_AT + 60 };
	struct cJSON	*payload;
	const char	*why;
	char		*made;

	cJSON_InitHooks(&(cJSON_Hooks){ wipe_malloc, wipe_free });
	crypto_begin();
	if (jwk_init() == -1)
		return (1);
	crypto_begun();
	jwt_set_key((const uint8_t *)KEY, strlen(KEY));
	strlcpy(conf.issuer[0], "https://idp.test", ISSUER_SIZE);
	strlcpy(conf.issuer_rule[0], "0\taudience\trelayd\trelayd", RULE_SIZE);
	conf.n_issuer = conf.n_issuer_keys = 1;
	conf.n_issuer_rule = 1;
	issuers_reloaded(&conf);
	issuer_at(0)->keys = jwk_set_new();
	is_int(jwks_read(KEYS_JWKS, strlen(KEYS_JWKS), take,
	    issuer_at(0)->keys, &why), 5, "keys");
	payload = claims_make_access(&who, "", conf.jwt_issuer,
	    conf.jwt_audience, KEYS_AT);
	token = made = jwt_seal(payload);
	cJSON_Delete(payload);
	each("a token of our own", own);
	token = TOKEN_RS256;
	each("RS256", provider);
	token = TOKEN_PS256;
	each("PS256", provider);
	token = TOKEN_ES384;
	each("ES384", provider);
	bad();
	free(made);
	issuers_clear();
	done_testing();
	return (tap_status());
}
