/* SPDX-License-Identifier: ISC */
#include <cjson/cJSON.h>
#include <sodium.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/compat.h"
#include "jwt.h"

#define MAC_LEN		crypto_auth_hmacsha256_BYTES
#define HEADER		"{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define B64		sodium_base64_VARIANT_URLSAFE_NO_PADDING
#define PART_MAX	TOKEN_SIZE	/* decoded bytes of one part */
#define MARK_TEXT	"relayd mark "	/* a blank: no token has one */
#define MARK_MAX	512

static struct {
	uint8_t	 key[JWT_KEY_MAX];
	size_t	 len;
} jwt;

/* It asks for no memory, and so always succeeds. */
static void
mac(const char *text, size_t len, uint8_t out[MAC_LEN])
{
	crypto_auth_hmacsha256_state	st;

	(void)crypto_auth_hmacsha256_init(&st, jwt.key, jwt.len);
	(void)crypto_auth_hmacsha256_update(&st, (const uint8_t *)text, len);
	(void)crypto_auth_hmacsha256_final(&st, out);
	sodium_memzero(&st, sizeof(st));
}

int
jwt_set_key(const uint8_t *key, size_t len)
{
	while (len > 0 && (key[len - 1] == '\n' || key[len - 1] == '\r'))
		len--;
	if (len == 0 || len > sizeof(jwt.key))
		return (-1);
	memcpy(jwt.key, key, len);
	jwt.len = len;
	return (0);
}

size_t
jwt_key_len(void)
{
	return (jwt.len);
}

void
jwt_clear_key(void)
{
	sodium_memzero(jwt.key, sizeof(jwt.key));
	jwt.len = 0;
}

int
jwt_mark(const void *p, size_t len, uint8_t mark[JWT_MARK_SIZE])
{
	char	text[sizeof(MARK_TEXT) + MARK_MAX];
	size_t	n = strlen(MARK_TEXT);

	if (jwt.len == 0 || len > MARK_MAX)
		return (-1);
	memcpy(text, MARK_TEXT, n);
	memcpy(text + n, p, len);
	mac(text, n + len, mark);
	return (0);
}

/* Strict: the alphabet, no padding, nothing left over. Length, or -1. */
long
jwt_bytes(uint8_t *dst, size_t size, const char *text, size_t len)
{
	const char	*end;
	size_t		 got;

	if (sodium_base642bin(dst, size, text, len, NULL, &got, &end, B64) != 0
	    || end != text + len)
		return (-1);
	return ((long)got);
}

/* Of two members with one name readers take different ones. RFC 7519, 4. */
int
jwt_has_twins(const struct cJSON *json)
{
	const cJSON	*v, *w;

	cJSON_ArrayForEach(v, json) {
		for (w = v->next; cJSON_IsObject(json) && w != NULL;
		    w = w->next)
			if (strcmp(v->string, w->string) == 0)
				return (1);
		if (jwt_has_twins(v))
			return (1);
	}
	return (0);
}

/*
 * A JSON object that fills its part to the last byte. A NUL, which would cut a
 * name short, is in none of its strings.
 */
struct cJSON *
jwt_json(const char *text, size_t len)
{
	static uint8_t	 bin[PART_MAX];
	const char	*end;
	cJSON		*json = NULL;
	long		 n = jwt_bytes(bin, sizeof(bin) - 1, text, len);

	if (n > 0 && memchr(bin, '\0', (size_t)n) == NULL &&
	    memmem(bin, (size_t)n, "\\u0000", 6) == NULL) {
		bin[n] = '\0';
		json = cJSON_ParseWithLengthOpts((char *)bin, (size_t)n + 1,
		    &end, 1);
	}
	sodium_memzero(bin, sizeof(bin));
	if (json != NULL && !cJSON_IsObject(json)) {
		cJSON_Delete(json);
		json = NULL;
	}
	return (json);
}

static struct cJSON *
plain_json(const char *text, size_t len)
{
	struct cJSON	*json = jwt_json(text, len);

	if (json != NULL && jwt_has_twins(json)) {
		cJSON_Delete(json);
		json = NULL;
	}
	return (json);
}

int
jwt_split(const char *token, struct jwt_parts *parts)
{
	const char	*dot1, *dot2;

	if (strlen(token) >= TOKEN_SIZE ||
	    (dot1 = strchr(token, '.')) == NULL ||
	    (dot2 = strchr(dot1 + 1, '.')) == NULL ||
	    strchr(dot2 + 1, '.') != NULL)
		return (-1);
	parts->payload = dot1 + 1;
	parts->signature = dot2 + 1;
	return (0);
}

int
jwt_is_type(const struct cJSON *typ)
{
	static const char *const	types[] = { "JWT", "at+jwt",
	    "application/at+jwt", "application/jwt" };
	size_t				i;

	if (typ == NULL)
		return (1);
	for (i = 0; cJSON_IsString(typ) &&
	    i < sizeof(types) / sizeof(types[0]); i++)
		if (strcasecmp(typ->valuestring, types[i]) == 0)
			return (1);
	return (0);
}

/* Our algorithm alone, the type of a token, and nothing critical beside it. */
static int
header_check(const char *text, size_t len)
{
	const cJSON	*alg;
	cJSON		*json;
	int		 r = -1;

	if ((json = plain_json(text, len)) == NULL)
		return (-1);
	alg = cJSON_GetObjectItemCaseSensitive(json, "alg");
	if (cJSON_IsString(alg) && strcmp(alg->valuestring, "HS256") == 0 &&
	    jwt_is_type(cJSON_GetObjectItemCaseSensitive(json, "typ")) &&
	    cJSON_GetObjectItemCaseSensitive(json, "crit") == NULL)
		r = 0;
	cJSON_Delete(json);
	return (r);
}

struct cJSON *
jwt_open(const char *token)
{
	struct jwt_parts	p;
	uint8_t			want[MAC_LEN], got[MAC_LEN + 4];
	int			r;

	if (jwt.len == 0 || jwt_split(token, &p) == -1)
		return (NULL);
	if (jwt_bytes(got, sizeof(got), p.signature, strlen(p.signature)) !=
	    MAC_LEN)
		return (NULL);
	mac(token, (size_t)(p.signature - token) - 1, want);
	r = sodium_memcmp(got, want, MAC_LEN);
	sodium_memzero(want, sizeof(want));
	if (r != 0 ||
	    header_check(token, (size_t)(p.payload - token) - 1) == -1)
		return (NULL);
	return (plain_json(p.payload, (size_t)(p.signature - p.payload) - 1));
}

char *
jwt_seal(const struct cJSON *payload)
{
	char	*text = NULL, *token = NULL;
	size_t	 size, n;
	uint8_t	 sig[MAC_LEN];

	if (jwt.len == 0 || (text = cJSON_PrintUnformatted(payload)) == NULL)
		return (NULL);
	size = sodium_base64_encoded_len(strlen(HEADER), B64) +
	    sodium_base64_encoded_len(strlen(text), B64) +
	    sodium_base64_encoded_len(MAC_LEN, B64);
	if ((token = calloc(1, size)) == NULL)
		goto out;
	sodium_bin2base64(token, size, (const uint8_t *)HEADER,
	    strlen(HEADER), B64);
	n = strlen(token);
	token[n++] = '.';
	sodium_bin2base64(token + n, size - n, (const uint8_t *)text,
	    strlen(text), B64);
	n = strlen(token);
	mac(token, n, sig);
	token[n++] = '.';
	sodium_bin2base64(token + n, size - n, sig, sizeof(sig), B64);
out:
	cJSON_free(text);
	return (token);
}
