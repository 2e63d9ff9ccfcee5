/* SPDX-License-Identifier: ISC */
/*
 * What another member of a cluster answers, made into one with ours: whatever
 * it is, ours stays, and the whole can be read.
 */
#include <cjson/cJSON.h>

#include "proxyd/job/gather.h"
#include "proxyd/job/merge.h"
#include "fuzz.h"

static struct gathered	other = { .member = "b", .status = 200 };

const char *
gather_self(const struct gather *g)
{
	(void)g;
	return ("a");
}

int
gather_at(const struct gather *g, size_t i, struct gathered *one)
{
	(void)g;
	*one = other;
	return (i == 0 ? 0 : -1);
}

static void
check(cJSON *data, const char *list)
{
	char	*text = cJSON_PrintUnformatted(data);
	cJSON	*again, *row;

	if (text == NULL || (again = cJSON_Parse(text)) == NULL)
		abort();
	row = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(again,
	    list), 0);
	if (strcmp(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(row,
	    "member")), "a") != 0 ||
	    !cJSON_IsArray(cJSON_GetObjectItemCaseSensitive(again, "missing")))
		abort();
	cJSON_Delete(again);
	cJSON_Delete(data);
	cJSON_free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	cJSON	*data;

	if ((other.doc = cJSON_ParseWithLength((const char *)bytes, len)) ==
	    NULL)
		return (0);
	data = cJSON_Parse("{\"processes\":[{}],\"now\":{\"tunnels\":1},"
	    "\"history\":{\"series\":[{\"name\":\"tunnels\",\"values\":"
	    "[1,2,3]}]}}");
	merge_status(data, NULL);
	check(data, "processes");
	data = cJSON_Parse("{\"processes\":[{}]}");
	merge_rows(data, "processes", 0, NULL);
	check(data, "processes");
	cJSON_Delete(other.doc);
	return (0);
}
