/* SPDX-License-Identifier: ISC */
#include <cjson/cJSON.h>

#include <stdio.h>
#include <string.h>

#include "base/compat.h"
#include "discovery.h"
#include "json.h"

#define WELL_KNOWN	"/.well-known/openid-configuration"

int
discovery_url(const char *issuer, char url[URL_SIZE])
{
	size_t	n = strlen(issuer);

	if (n > 0 && issuer[n - 1] == '/')
		n--;
	return ((size_t)snprintf(url, URL_SIZE, "%.*s%s", (int)n, issuer,
	    WELL_KNOWN) < URL_SIZE ? 0 : -1);
}

/* Passed on to clients, if it is an address at all; we do not go there. */
static void
endpoint(const struct cJSON *o, const char *name, char dst[URL_SIZE])
{
	const char	*s = json_text(o, name, URL_SIZE);
	char		 host[PLACE_SIZE];
	uint16_t	 port;

	dst[0] = '\0';
	if (s != NULL && place_of(s, host, &port) == 0)
		strlcpy(dst, s, URL_SIZE);
}

/* rendezvous-protocol.md, 3: none of these is RS256 alone. */
static void
algorithms(const struct cJSON *o, char dst[WORD_SIZE])
{
	static const char *const	ours[] = { "RS256", "PS256", "ES256",
	    "ES384", "EdDSA" };
	const struct cJSON		*list, *v;
	size_t				 i;

	list = cJSON_GetObjectItemCaseSensitive(o,
	    "id_token_signing_alg_values_supported");
	for (i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		cJSON_ArrayForEach(v, list)
			if (cJSON_IsString(v) &&
			    strcmp(v->valuestring, ours[i]) == 0) {
				strlcat(dst, dst[0] != '\0' ? " " : "",
				    WORD_SIZE);
				strlcat(dst, ours[i], WORD_SIZE);
				break;
			}
	if (dst[0] == '\0')
		strlcpy(dst, "RS256", WORD_SIZE);
}

static const char *
read_members(const struct cJSON *o, const char *issuer, struct discovery *d)
{
	const char	*iss = json_text(o, "issuer", ISSUER_SIZE);
	const char	*keys = json_text(o, "jwks_uri", URL_SIZE);

	if (json_is_odd(o))
		return ("discovery: members that are there twice, or too many");
	if (iss == NULL || strcmp(iss, issuer) != 0)
		return ("discovery: says that it is of another issuer");
	if (keys == NULL || !place_is_same(keys, issuer))
		return ("discovery: its jwks_uri is not at the issuer's own "
		    "host and port (see \"keys\" in relayd.conf(5))");
	strlcpy(d->keys, keys, sizeof(d->keys));
	endpoint(o, "authorization_endpoint", d->authorization);
	endpoint(o, "token_endpoint", d->token);
	endpoint(o, "device_authorization_endpoint", d->device);
	algorithms(o, d->algs);
	return (NULL);
}

int
discovery_read(const char *text, size_t len, const char *issuer,
    struct discovery *d, const char **why)
{
	struct cJSON	*o;

	memset(d, 0, sizeof(*d));
	*why = "discovery: not a JSON object";
	if ((o = json_document(text, len)) != NULL)
		*why = read_members(o, issuer, d);
	cJSON_Delete(o);
	return (*why == NULL ? 0 : -1);
}
