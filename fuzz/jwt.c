/* SPDX-License-Identifier: ISC */
/*
 * A token as somebody presents it; then the input as the payload of a token
 * with a good signature, which is what the claims have to live with.
 */
#include <cjson/cJSON.h>
#include <sodium.h>

#include "authd/cred/jwt.h"
#include "base/compat.h"
#include "fuzz.h"

static void
look(struct cJSON *payload)
{
	struct operator		who;
	struct proxy_claims	pc;

	if (claims_access(payload, "", "relayd", 1000, &who) == 0 &&
	    who.id[0] == '\0')
		abort();
	if (claims_proxy(payload, "relayd", "", 1000, &pc) == 0 &&
	    (pc.session[0] == '\0' || pc.service[0] == '\0'))
		abort();
	cJSON_Delete(payload);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static int	 ready;
	struct cJSON	*o;
	char		*text;

	if (!ready && (sodium_init() == -1 ||
	    jwt_set_key((const uint8_t *)"key", 3) == -1))
		abort();
	ready = 1;
	if ((text = malloc(len + 1)) == NULL)
		return (0);
	memcpy(text, data, len);
	text[len] = '\0';
	if ((o = jwt_open(text)) != NULL)
		look(o);
	if ((o = cJSON_Parse(text)) != NULL)
		look(o);
	free(text);
	return (0);
}
