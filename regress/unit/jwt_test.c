/* SPDX-License-Identifier: ISC */
#include <cjson/cJSON.h>
#include <sodium.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authd/cred/jwt.h"
#include "base/compat.h"
#include "regress/lib/tap.h"

#define KEY	"0123456789abcdef0123456789abcdef"
/* RFC 7515, A.1: a key, and a token made with it by others. */
#define RFC_KEY	"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtM"	\
		"N3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
#define RFC_TOKEN "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."		\
		"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9"	\
		"leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."				\
		"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

static void
rfc(void)
{
	uint8_t		 key[64];
	size_t		 len;
	struct cJSON	*o;

	sodium_base642bin(key, sizeof(key), RFC_KEY, strlen(RFC_KEY), NULL,
	    &len, NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	is_int(jwt_set_key(key, len), 0, "the key of RFC 7515 A.1");
	o = jwt_open(RFC_TOKEN);
	ok(o != NULL, "its token opens");
	is_str(cJSON_GetStringValue(cJSON_GetObjectItem(o, "iss")), "joe",
	    "and says what it should");
	cJSON_Delete(o);
}

/* Signed, but other readers would read it in another way. */
static void
ambiguous(void)
{
	static const char *const	bad[] = {
		"{\"id\":\"bob\\u0000x\"}", "{\"a\\u0000b\":1}",
		"{\"exp\":1,\"exp\":2}", "{\"user\":{\"id\":1,\"id\":2}}",
		"{\"l\":[{\"a\":1,\"b\":2,\"a\":3}]}", "[1]", "\"a\"",
		"{\"a\":1} x",
	};
	struct cJSON	*o, *got;
	char		*token;
	size_t		 i;

	jwt_set_key((const uint8_t *)KEY, strlen(KEY));
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		o = cJSON_CreateRaw(bad[i]);
		token = jwt_seal(o);
		got = token == NULL ? NULL : jwt_open(token);
		ok(token != NULL && got == NULL, "refused: %s", bad[i]);
		cJSON_Delete(got);
		cJSON_Delete(o);
		free(token);
	}
}

/* Whatever character is changed, dropped or doubled: not valid. */
static void
bent(void)
{
	struct cJSON	*o = cJSON_Parse("{\"a\":1}"), *got;
	char		*token, *copy;
	size_t		 i, len;
	int		 good = 1;

	jwt_set_key((const uint8_t *)KEY "\r\n\n", strlen(KEY) + 3);
	is_int(jwt_key_len(), strlen(KEY), "ends of lines are no part of it");
	token = jwt_seal(o);
	cJSON_Delete(o);
	got = jwt_open(token);
	ok(got != NULL, "what we seal, we open");
	cJSON_Delete(got);
	len = strlen(token);
	if ((copy = malloc(len + 2)) == NULL)
		bail_out("out of memory");
	for (i = 0; i < len; i++) {
		memcpy(copy, token, len + 1);
		copy[i] = copy[i] == 'A' ? 'B' : 'A';
		if ((got = jwt_open(copy)) != NULL)
			good = 0;
		cJSON_Delete(got);
		memmove(copy + i, token + i + 1, len - i);
		if ((got = jwt_open(copy)) != NULL)
			good = 0;
		cJSON_Delete(got);
		memcpy(copy, token, i);
		copy[i] = '=';
		memcpy(copy + i + 1, token + i, len - i + 1);
		if ((got = jwt_open(copy)) != NULL)
			good = 0;
		cJSON_Delete(got);
	}
	ok(good, "a token with any character bent does not open");
	jwt_clear_key();
	ok(jwt_open(token) == NULL, "without a key nothing opens");
	free(copy);
	free(token);
	jwt_set_key((const uint8_t *)KEY, strlen(KEY));
}

static void
proxy(void)
{
	struct proxy_claims	pc, back;
	struct operator		who;
	struct cJSON		*o;

	memset(&pc, 0, sizeof(pc));
	strlcpy(pc.who.id, "u1", sizeof(pc.who.id));
	strlcpy(pc.who.org_role, "customer", sizeof(pc.who.org_role));
	strlcpy(pc.who.impersonator, "boss", sizeof(pc.who.impersonator));
	strlcpy(pc.session, "s", sizeof(pc.session));
	strlcpy(pc.service, "web", sizeof(pc.service));
	pc.who.expires = 2000;
	o = claims_make_proxy(&pc, "", "", 1000);
	is_int(claims_proxy(o, "", "", 1500, &back), 0, "a proxy token");
	ok(strcmp(back.who.impersonator, "boss") == 0 &&
	    strcmp(back.service, "web") == 0 && back.who.token_id[0] != '\0',
	    "carries who acts, the service and an id");
	is_int(claims_proxy(o, "", "", 2000, &back), -1, "until its end");
	is_int(claims_proxy(o, "", "", 999, &back), -1, "not before its time");
	is_int(claims_proxy(o, "idp", "", 1500, &back), -1, "another issuer");
	is_int(claims_access(o, "", "", 1500, &who), -1,
	    "operator-3(partial): is not an access token");
	cJSON_DeleteItemFromObject(o, "org_role");
	is_int(claims_proxy(o, "", "", 1500, &back), -1,
	    "org_role must not be missing");
	cJSON_Delete(o);
}

static void
odd(void)
{
	static const char *const	bad[] = {
	    "{}", "{\"token_type\":\"access\"}",
	    "{\"token_type\":\"access\",\"exp\":\"9\",\"user\":{\"id\":\"u\"}}",
	    "{\"token_type\":\"access\",\"exp\":1e400,\"user\":{\"id\":\"u\"}}",
	    "{\"token_type\":\"access\",\"exp\":-5,\"user\":{\"id\":\"u\"}}",
	    "{\"token_type\":\"access\",\"exp\":9e3,\"user\":{}}",
	    "{\"token_type\":\"access\",\"exp\":9e3,\"user\":{\"id\":5}}",
	    "{\"token_type\":[\"access\"],\"exp\":9e3,\"user\":{\"id\":\"u\"}}",
	    "{\"exp\":9e3,\"user\":{\"id\":\"u\"}}",
	    ("{\"token_type\":\"access\",\"exp\":9e3,\"nbf\":\"1\","
	    "\"user\":{\"id\":\"u\"}}") };
	struct operator			who;
	struct cJSON			*o;
	size_t				i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		o = cJSON_Parse(bad[i]);
		is_int(claims_access(o, "", "", 1000, &who), -1,
		    "operator-3(partial): refused: %s", bad[i]);
		cJSON_Delete(o);
	}
	o = cJSON_Parse("{\"token_type\":\"access\",\"exp\":9e3,"
	    "\"user\":{\"id\":\"\",\"logto_id\":\"l\"}}");
	is_int(claims_access(o, "", "", 1000, &who), 0, "no id, a logto_id");
	is_str(who.id, "l", "stands in for it");
	is_int((int)who.permits, 0, "no permission without a list");
	cJSON_Delete(o);
}

int
main(void)
{
	if (sodium_init() == -1)
		return (1);
	ambiguous();
	rfc();
	bent();
	proxy();
	odd();
	return (done_testing());
}
