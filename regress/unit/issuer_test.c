/* SPDX-License-Identifier: ISC */
/*
 * Tokens of identity providers: signatures of other libraries and of the RFCs,
 * outcomes as other uses hear them, scopes, claims in objects.
 */
#include <cjson/cJSON.h>
#include <sodium.h>

#include <string.h>

#include "api/api.h"
#include "authd/cred/bearer.h"
#include "authd/cred/jwk.h"
#include "authd/msg/dialer.h"
#include "base/clock.h"
#include "base/compat.h"
#include "dialerd/json.h"
#include "dialerd/jwks.h"
#include "proc/conf.h"
#include "proc/proc.h"
#include "regress/lib/keys.h"
#include "regress/lib/tap.h"

static struct conf	conf;
static int64_t		wall = KEYS_AT;
static unsigned		wanted;		/* how often a key was asked for */
static int		on_its_way = 1;

/* What bearer.c asks of the process. */
const struct conf *
proc_conf(void)
{
	return (&conf);
}

int64_t
clock_wall(void)
{
	return (wall);
}

uint64_t
clock_ms(void)
{
	return (1);
}

int
dialer_want(unsigned place)
{
	(void)place;
	wanted++;
	return (on_its_way);
}

static void
take(void *set, const struct jwk *k)
{
	is_int(jwk_set_add(set, &(struct msg_jwk_key){
	    .kind = (uint8_t)k->kind, .kid = k->kid, .alg = k->alg,
	    .a = { k->a, k->a_len }, .b = { k->b, k->b_len } }), 0,
	    "a key: %s", k->kid);
}

static void
provider(const char *url)
{
	const char	*why;

	issuers_clear();
	memset(&conf, 0, sizeof(conf));
	conf.n_issuer = conf.n_issuer_keys = 1;
	strlcpy(conf.issuer[0], url, ISSUER_SIZE);
	issuers_reloaded(&conf);
	issuer_at(0)->keys = jwk_set_new();
	is_int(jwks_read(KEYS_JWKS, strlen(KEYS_JWKS), take,
	    issuer_at(0)->keys, &why), 5, "five keys");
}

/* ES256 of RFC 7515; it has neither kid nor audience. */
static void
rfc7515(void)
{
	struct bearer	b;
	char		bent[] = TOKEN_ES256;

	provider("joe");
	is_int(bearer_open(TOKEN_ES256, "", &b), TOKEN_GOOD, "RFC 7515, A.3");
	is_str(b.issuer, "joe", "its issuer");
	is_str(b.subject, "", "no subject");
	is_int(b.expires, 1300819380, "its end");
	is_int(bearer_open(TOKEN_ES256, "relayd", &b), TOKEN_AUDIENCE,
	    "without an audience it is not for us");
	wall = 1300819381;
	is_int(bearer_open(TOKEN_ES256, "", &b), TOKEN_EXPIRED,
	    "a second later it has expired");
	wall = KEYS_AT;
	bent[strlen(bent) - 3] ^= 1;
	is_int(bearer_open(bent, "", &b), TOKEN_KEY,
	    "without a name any key could have signed it");
	is_int(wanted, 1, "and is asked for");
	on_its_way = 0;
	is_int(bearer_open(bent, "", &b), TOKEN_SIGNATURE,
	    "which is not done again so soon");
	on_its_way = 1;
}

static void
rfc8037(void)
{
	uint8_t	sig[64];
	size_t	n;

	is_int(sodium_base642bin(sig, sizeof(sig), SIG_EDDSA,
	    strlen(SIG_EDDSA), NULL, &n, NULL,
	    sodium_base64_VARIANT_URLSAFE_NO_PADDING), 0, "a signature");
	is_int(jwk_check(issuer_at(0)->keys, "EdDSA", "rfc8037", TEXT_EDDSA,
	    strlen(TEXT_EDDSA), sig, n), JWK_GOOD, "RFC 8037, A.4");
	is_int(jwk_check(issuer_at(0)->keys, "EdDSA", "rfc8037", TEXT_EDDSA,
	    strlen(TEXT_EDDSA) - 1, sig, n), JWK_WRONG, "a byte less");
	is_int(jwk_check(issuer_at(0)->keys, "ES256", "rfc8037", TEXT_EDDSA,
	    strlen(TEXT_EDDSA), sig, n), JWK_UNKNOWN,
	    "for another algorithm there is no such key");
	is_int(jwk_check(NULL, "EdDSA", NULL, "", 0, sig, n), JWK_UNKNOWN,
	    "nor without keys");
}

static void
others(void)
{
	static const char *const	tokens[] = { TOKEN_RS256, TOKEN_PS256,
	    TOKEN_ES384 };
	struct bearer			b;
	size_t				i;

	provider("https://idp.test");
	for (i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
		is_int(bearer_open(tokens[i], "relayd", &b), TOKEN_GOOD,
		    "token %zu of another library", i);
		is_str(b.subject, "u-1", "its subject");
		is_str(b.client, "cli", "its client");
		is_str(b.scopes, "openid connect:systems swsrs:session:read x",
		    "its scopes, of both claims");
		ok(bearer_has(&b, "swsrs:session:read") &&
		    bearer_has(&b, "openid") && bearer_has(&b, "x"),
		    "it has each of them");
		ok(!bearer_has(&b, "swsrs:session") && !bearer_has(&b, "") &&
		    !bearer_has(&b, "session:read") &&
		    !bearer_has(&b, "openid connect:systems y"),
		    "and no part of one");
	}
}

/* What other uses say is a fixed word for each. */
static void
outcomes(void)
{
	struct bearer	b;
	char		late[] = TOKEN_RS256;

	is_int(bearer_open("x", "relayd", &b), TOKEN_MALFORMED, "malformed");
	is_int(bearer_open(TOKEN_ES256, "relayd", &b), TOKEN_ISSUER,
	    "wrong issuer");
	is_int(bearer_open(TOKEN_RS256, "relay", &b), TOKEN_AUDIENCE,
	    "wrong audience");
	wall = 1300819380;
	is_int(bearer_open(TOKEN_RS256, "relayd", &b), TOKEN_GOOD,
	    "good in its last second");
	wall = 1300819381;
	is_int(bearer_open(TOKEN_RS256, "relayd", &b), TOKEN_EXPIRED,
	    "expired");
	wall = 1300818700;
	is_int(bearer_open(TOKEN_RS256, "relayd", &b), TOKEN_GOOD,
	    "300 s before it begins");
	wall = 1300818699;
	is_int(bearer_open(TOKEN_RS256, "relayd", &b), TOKEN_EARLY,
	    "not yet valid");
	wall = KEYS_AT;
	late[strlen(late) - 10] ^= 1;
	is_int(bearer_open(late, "relayd", &b), TOKEN_SIGNATURE,
	    "bad signature");
	jwk_set_free(issuer_at(0)->keys);
	issuer_at(0)->keys = NULL;
	is_int(bearer_open(TOKEN_RS256, "relayd", &b), TOKEN_KEYS,
	    "no keys: 503");
	conf.n_issuer = 0;
	issuers_reloaded(&conf);
	is_int(bearer_open(TOKEN_RS256, "relayd", &b), TOKEN_ISSUER,
	    "no provider");
}

/* G of P-256, and the key of RFC 7515 behind so many of it. */
static void
tries(size_t before, enum jwk_said want)
{
	static const uint8_t	gx[32] = { 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c,
	    0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2, 0x77,
	    0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45,
	    0xd8, 0x98, 0xc2, 0x96 };
	static const uint8_t	gy[32] = { 0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a,
	    0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b,
	    0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68,
	    0x37, 0xbf, 0x51, 0xf5 };
	struct jwk_set		*set = jwk_set_new();
	const char		*text = TOKEN_ES256, *dot = strrchr(text, '.');
	const char		*why;
	uint8_t			 sig[64];
	size_t			 i;

	for (i = 0; i < before; i++)
		(void)jwk_set_add(set, &(struct msg_jwk_key){
		    .kind = JWK_P256, .kid = "", .alg = "",
		    .a = { gx, sizeof(gx) }, .b = { gy, sizeof(gy) } });
	is_int(jwk_set_count(set), (long long)before, "%zu other keys", before);
	(void)jwks_read(KEYS_JWKS, strlen(KEYS_JWKS), take, set, &why);
	is_int(jwt_bytes(sig, sizeof(sig), dot + 1, strlen(dot + 1)), 64,
	    "a signature");
	is_int(jwk_check(set, "ES256", NULL, text, (size_t)(dot - text), sig,
	    sizeof(sig)), want, "behind %zu others", before);
	is_int(jwk_check(set, "ES256", "rfc7515", text, (size_t)(dot - text),
	    sig, sizeof(sig)), JWK_GOOD, "and by its name in any case");
	jwk_set_free(set);
}

/* Whom a token is about, line for line. */
static void
operators(void)
{
	static const struct {
		const char	*rules[3], *claims, *org, *role;
		unsigned	 permits;
	} cases[] = {
		{ { NULL }, "{\"organization_id\":\"o\",\"org_role\":\"owner\"}",
		    "o", "owner", 0 },
		{ { NULL }, "{\"organization_id\":[\"o\"],\"org_role\":"
		    "[\"customer\",\"Owner\",\"reseller\"]}", "o", "Owner", 0 },
		{ { NULL }, "{\"organization_id\":[\"o\",\"p\"],\"org_role\":"
		    "[\"x\",\"customer\"]}", "", "customer", 0 },
		{ { "0\tmap\torganization\tp\tq" }, "{\"organization_id\":"
		    "[\"o\",\"p\"]}", "q", "", 0 },
		{ { "0\tmap\torganization\tp\tq" }, "{\"organization_id\":"
		    "\"o\"}", "", "", 0 },
		{ { "0\tmap\trole\tx\treseller", "0\tmap\trole\ty\towner" },
		    "{\"org_role\":[\"x\",\"y\"]}", "", "owner", 0 },
		{ { "0\tfixed\trole\tcustomer\t" }, "{\"org_role\":\"owner\"}",
		    "", "customer", 0 },
		{ { "1\tfixed\trole\towner\t" }, "{}", "", "", 0 },
		{ { NULL }, "{\"scope\":\"openid connect:systems\"}", "", "",
		    1U << NEEDS_CONNECT },
		{ { "0\tmap\tpermission\ta\tread:systems",
		    "0\tmap\tpermission\ta\tmanage:systems" },
		    "{\"scope\":[\"a\"]}", "", "",
		    1U << NEEDS_READ | 1U << NEEDS_MANAGE },
		{ { NULL }, "{\"scope\":5,\"org_role\":{},\"organization_id\":"
		    "7}", "", "", 0 },
	};
	struct operator	who;
	struct cJSON	*o;
	size_t		i, j;

	provider("https://idp.test");
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		conf.n_issuer_rule = 0;
		for (j = 0; j < 3 && cases[i].rules[j] != NULL; j++)
			strlcpy(conf.issuer_rule[conf.n_issuer_rule++],
			    cases[i].rules[j], RULE_SIZE);
		o = cJSON_Parse(cases[i].claims);
		cJSON_AddStringToObject(o, "sub", "u");
		cJSON_AddNumberToObject(o, "exp", 5);
		is_int(issuer_operator(&conf, 0, o, &who), 0, "claims %zu", i);
		is_str(who.org_id, cases[i].org, "the organization");
		is_str(who.org_role, cases[i].role, "the role");
		is_int(who.permits, cases[i].permits, "what is permitted");
		cJSON_Delete(o);
	}
}

static void
join(void *arg, const char *word)
{
	strlcat(arg, word, 256);
	strlcat(arg, ";", 256);
}

static void
words(void)
{
	static const struct {
		const char	*name, *want;
	} cases[] = {
		{ "a.b", "literal;" },		/* before what is in a */
		{ "a.c", "1;2;" }, { "a.c.x", "" }, { "a", "" },
		{ "x.y.z", "deep;" }, { "https://e.test/org", "o;" },
		{ "text", "one;two;three;" }, { "list", "a b;c;" },
		{ "", "" }, { ".", "" }, { "a.", "" }, { "none", "" },
	};
	struct cJSON	*o = cJSON_Parse("{\"a.b\":\"literal\",\"a\":{\"b\":"
	    "\"no\",\"c\":[\"1\",2,\"2\",null]},\"x.y\":{\"z\":\"deep\"},"
	    "\"https://e.test/org\":\"o\",\"text\":\" one  two\\tthree \","
	    "\"list\":[\"a b\",\"c\"]}");
	char		 got[256];
	size_t		 i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		got[0] = '\0';
		(void)claim_words(o, cases[i].name, join, got);
		is_str(got, cases[i].want, "claim \"%s\"", cases[i].name);
	}
	cJSON_Delete(o);
}

static void
places(void)
{
	static const char *const	bad[] = { "http://a.test/", "https://",
	    "https:///x", "https://a@b.test/", "https://a.test:/",
	    "https://a.test:0/", "https://a.test:65536/",
	    "https://a.test:1x/", "https://[::1]/", "https://a_b.test/",
	    "https://-a.test/", "https://.a.test", "https://a.test\\@b/",
	    "https://a.test/\"", "https://a.test/ x", "HTTPS://a.test/", "" };
	char				host[PLACE_SIZE];
	uint16_t			port;
	size_t				i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		is_int(place_of(bad[i], host, &port), -1, "no place: \"%s\"",
		    bad[i]);
	ok(place_of("https://IDP.Test:8443?x", host, &port) == 0 &&
	    port == 8443 && strcmp(host, "idp.test") == 0, "a place");
	ok(place_is_same("https://a.test", "https://A.test:443/x") &&
	    !place_is_same("https://a.test", "https://a.test:444") &&
	    !place_is_same("https://a.test", "https://a.test.evil/"),
	    "the same, and not");
}

int
main(void)
{
	if (sodium_init() == -1 || jwk_init() == -1)
		bail_out("init");
	rfc7515();
	rfc8037();
	others();
	outcomes();
	tries(JWK_TRIES - 1, JWK_GOOD);
	tries(JWK_TRIES, JWK_UNKNOWN);
	operators();
	words();
	places();
	issuers_clear();
	return (done_testing());
}
