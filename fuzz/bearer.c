/* SPDX-License-Identifier: ISC */
/*
 * A token as somebody presents it, with keys of an identity provider that we
 * know; then the input as the claims of one that was good.
 */
#include <cjson/cJSON.h>
#include <sodium.h>

#include <string.h>

#include "authd/cred/issuer.h"
#include "authd/cred/jwk.h"
#include "base/compat.h"
#include "dialerd/jwks.h"
#include "fuzz.h"
#include "proc/conf.h"
#include "regress/lib/keys.h"

static struct conf	conf;

static void
take(void *set, const struct jwk *k)
{
	if (jwk_set_add(set, &(struct msg_jwk_key){ .kind = (uint8_t)k->kind,
	    .kid = k->kid, .alg = k->alg, .a = { k->a, k->a_len },
	    .b = { k->b, k->b_len } }) == -1)
		abort();
}

static void
ready(void)
{
	static const char *const	rules[] = { "0\taudience\t\trelayd\t",
	    "0\tprefix\t\tkc:\t", "0\tclaim\trole\trealm_access.roles\t",
	    "0\tmap\trole\tlead\towner",
	    "0\tclaim\tpermission\tgroups\t",
	    "0\tmap\tpermission\tsupport\tconnect:systems",
	    "0\tclaim\torganization\ta.b.c\t" };
	const char			*why;
	size_t				 i;

	if (sodium_init() == -1)
		abort();
	conf.n_issuer = conf.n_issuer_keys = 1;
	strlcpy(conf.issuer[0], "https://idp.test", ISSUER_SIZE);
	for (i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		strlcpy(conf.issuer_rule[conf.n_issuer_rule++], rules[i],
		    RULE_SIZE);
	issuers_reloaded(&conf);
	issuer_at(0)->keys = jwk_set_new();
	if (jwks_read(KEYS_JWKS, strlen(KEYS_JWKS), take, issuer_at(0)->keys,
	    &why) != 5)
		abort();
}

static void
count(void *arg, const char *word)
{
	*(size_t *)arg += strlen(word);
}

static void
look(struct cJSON *payload)
{
	struct operator	who;
	size_t		n = 0;

	if (cJSON_IsObject(payload)) {
		if (issuer_operator(&conf, 0, payload, &who) == 0 &&
		    strncmp(who.id, "kc:", 3) != 0)
			abort();
		(void)claim_words(payload, "realm_access.roles", count, &n);
	}
	cJSON_Delete(payload);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static int		 is_ready;
	struct token_how	 how = { .now = KEYS_AT, .skew = 60,
				    .early = 60 };
	struct cJSON		*payload;
	char			*text;
	unsigned		 place;

	if (!is_ready)
		ready();
	is_ready = 1;
	if ((text = malloc(len + 1)) == NULL)
		return (0);
	memcpy(text, data, len);
	text[len] = '\0';
	if (issuer_open(&conf, text, &how, &payload, &place) == TOKEN_GOOD)
		look(payload);
	look(cJSON_Parse(text));
	free(text);
	return (0);
}
