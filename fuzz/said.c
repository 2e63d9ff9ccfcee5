/* SPDX-License-Identifier: ISC */
/*
 * What is said in a channel of Redis, as it comes; then the input as a payload
 * that is signed well, which is what its reader has to live with.
 */
#include <cjson/cJSON.h>
#include <sodium.h>

#include <stdlib.h>
#include <string.h>

#include "authd/cred/shared.h"
#include "authd/redis/said.h"
#include "base/compat.h"
#include "fuzz.h"

#define NOW	1000000000

static void
look(const char *text, size_t len)
{
	struct said_command	c;
	const char		*wrong = said_command(&c, text, len, NOW);

	if (wrong == NULL && (strlen(c.session) != UUID_SIZE - 1 ||
	    (c.action == SAID_ADD) != (c.services != NULL) ||
	    (c.action == SAID_REMOVE) != (c.n > 0) ||
	    (c.reply_to[0] != '\0' && c.id[0] == '\0')))
		abort();
	if (wrong == NULL && c.id[0] != '\0' && (c.at < NOW - SAID_FRESH_S ||
	    c.at > NOW + SAID_FRESH_S))
		abort();
	said_clear(&c);
}

static void
look_signed(const char *payload)
{
	char	 mac[SHARED_MAC_SIZE], *text;
	cJSON	*o = cJSON_CreateObject();

	if (shared_sign(SHARED_INTERNAL, payload, strlen(payload), mac) == -1)
		abort();
	cJSON_AddStringToObject(o, "payload", payload);
	cJSON_AddStringToObject(o, "sig", mac);
	if ((text = cJSON_PrintUnformatted(o)) != NULL)
		look(text, strlen(text));
	cJSON_free(text);
	cJSON_Delete(o);
}

/* A change, as it comes and as a member would have signed it. */
static void
look_changed(const char *text, size_t len)
{
	struct said_changed	c, again;
	char			made[SAID_CHANGED];

	(void)said_changed(&c, text, len);
	memset(&c, 0, sizeof(c));
	strlcpy(c.member, text, sizeof(c.member));
	strlcpy(c.system, text, sizeof(c.system));
	if (said_changed_make(made, &c) == -1)
		abort();
	if (said_changed(&again, made, strlen(made)) == 0 &&
	    (strcmp(c.member, again.member) != 0 ||
	    strcmp(c.system, again.system) != 0))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static int	 ready;
	char		 key[SYSKEY_SIZE], *text;

	if (!ready && (sodium_init() == -1 ||
	    shared_set(SHARED_INTERNAL, "secret", 6) == -1 ||
	    shared_set(SHARED_CLUSTER, "secret", 6) == -1))
		abort();
	ready = 1;
	if ((text = malloc(len + 1)) == NULL)
		return (0);
	memcpy(text, data, len);
	text[len] = '\0';
	if (said_invalidate(key, text, len) == 0 &&
	    !said_is_key(key, strlen(key)))
		abort();
	look(text, len);
	look_signed(text);
	look_changed(text, len);
	free(text);
	return (0);
}
