/* SPDX-License-Identifier: ISC */
#include <cjson/cJSON.h>

#include "wipe.h"
#include "wipe_json.h"

char *
wipe_print(const struct cJSON *o)
{
	return (wipe_lacks() ? NULL : cJSON_PrintUnformatted(o));
}
