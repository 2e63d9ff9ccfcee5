/* SPDX-License-Identifier: ISC */
/* What a child sends as a log line: whatever it is, one line, and one object
   in which nobody else's name stands. */
#include <cjson/cJSON.h>

#include "relayd/logline.h"
#include "fuzz.h"

static void
check(const struct logline *l)
{
	char	 out[LOG_WHOLE_MAX];
	cJSON	*o;

	logline_print(l, out);
	if (strncmp(out, "muxd[47] 9", 10) != 0 || strchr(out, '\n') != NULL)
		abort();
	logline_json(l, "2026-11-27T10:00:00.123Z", out);
	if (strchr(out, '\n') != NULL ||
	    (o = cJSON_ParseWithOpts(out, NULL, 1)) == NULL)
		abort();
	if (strcmp(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o,
	    "role")), "muxd") != 0 || cJSON_GetArraySize(o) > 8)
		abort();
	cJSON_Delete(o);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct logline	l = { .role = "muxd", .pid = 47, .instance = 9,
	    .session = "" };

	logline_take(&l, (const char *)data, len);
	check(&l);
	l.many = 1;
	check(&l);
	return (0);
}
