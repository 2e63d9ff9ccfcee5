/* SPDX-License-Identifier: ISC */
/*
 * What programs of the customer's machine say to tunnel-client: the one that
 * makes users, and plugins of the diagnostics.
 */
#include "base/log.h"
#include "tunnel-client/diag.h"
#include "tunnel-client/usersrun.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct users_made	 m;
	const cJSON		*id;
	cJSON			*o;

	usersrun_parse(&m, (const char *)data, len);
	/* Nothing of it counts unless all of it was understood. */
	if (m.credentials == NULL || (!m.good && (m.gone || m.left ||
	    m.domains != NULL || m.errors != NULL ||
	    users_has_credentials(m.credentials))))
		abort();
	usersrun_clear(&m);
	o = plugin_result("/usr/share/plugins/10_disk", (const char *)data, len,
	    DIAG_OK);
	id = cJSON_GetObjectItemCaseSensitive(o, "id");
	if (o == NULL || !cJSON_IsString(id) || *id->valuestring == '\0' ||
	    !cJSON_IsString(cJSON_GetObjectItemCaseSensitive(o, "status")))
		abort();
	cJSON_Delete(o);
	return (0);
}
