/* SPDX-License-Identifier: ISC */
/*
 * One answer out of those of all members: sums, and what is not as it should
 * be.
 */
#include <cjson/cJSON.h>

#include <stdlib.h>
#include <string.h>

#include "proxyd/job/gather.h"
#include "proxyd/job/merge.h"
#include "regress/lib/tap.h"

#define STATUS(procs, n, values)					\
	"{\"processes\":[" procs "],\"now\":{\"tunnels\":" n "},"	\
	"\"history\":{\"series\":[{\"name\":\"tunnels\",\"values\":["	\
	values "]}]}}"
#define IN(data)	"{\"code\":200,\"data\":" data "}"

/* The others, as gather.c would have them. */
static struct gathered	others[3];
static size_t		nothers;

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
	if (i >= nothers)
		return (-1);
	*one = others[i];
	return (0);
}

static void
other(const char *member, int status, const char *json)
{
	others[nothers].member = member;
	others[nothers].status = status;
	others[nothers++].doc = json != NULL ? cJSON_Parse(json) : NULL;
}

/* What is said in the end; good until the next. */
static const char *
merged(const char *ours, void (*how)(cJSON *))
{
	static char	*text;
	cJSON		*data = cJSON_Parse(ours);

	free(text);
	how(data);
	text = cJSON_PrintUnformatted(data);
	cJSON_Delete(data);
	while (nothers > 0)
		cJSON_Delete(others[--nothers].doc);
	return (text);
}

static void
status(cJSON *data)
{
	merge_status(data, NULL);
}

static void
rows(cJSON *data)
{
	merge_rows(data, "l", 0, NULL);
}

static void
missing(cJSON *data)
{
	merge_missing(data, NULL);
}

int
main(void)
{
	other("b", 200, IN(STATUS("{\"role\":\"authd\"}", "5", "10,20")));
	other("c", 0, NULL);
	is_str(merged(STATUS("{\"role\":\"muxd\"}", "2", "1,2,3"), status),
	    "{\"processes\":[{\"role\":\"muxd\",\"member\":\"a\"},"
	    "{\"role\":\"authd\",\"member\":\"b\"}],\"now\":{\"tunnels\":7},"
	    "\"history\":{\"series\":[{\"name\":\"tunnels\",\"values\":["
	    "1,12,23]}]},\"missing\":[\"c\"]}",
	    "the last minutes are added; who has fewer adds to these");
	other("b", 200, IN(STATUS("", "5", "10,20,30,40")));
	is_str(merged(STATUS("", "2", "1,2"), status),
	    "{\"processes\":[],\"now\":{\"tunnels\":7},\"history\":{"
	    "\"series\":[{\"name\":\"tunnels\",\"values\":[31,42]}]},"
	    "\"missing\":[]}", "and who has more, too");
	other("b", 200, IN(STATUS("1,null,[]", "-5", "\"x\",{},-1")));
	is_str(merged(STATUS("", "2", "1,2,3"), status),
	    "{\"processes\":[],\"now\":{\"tunnels\":2},\"history\":{"
	    "\"series\":[{\"name\":\"tunnels\",\"values\":[1,2,3]}]},"
	    "\"missing\":[]}", "what is no row and no number is left out");
	other("b", 200, IN("{\"now\":7,\"history\":[{\"series\":1}],"
	    "\"processes\":{}}"));
	is_str(merged(STATUS("", "2", ""), status),
	    "{\"processes\":[],\"now\":{\"tunnels\":2},\"history\":{"
	    "\"series\":[{\"name\":\"tunnels\",\"values\":[]}]},"
	    "\"missing\":[]}", "whatever stands in place of them");
	other("b", 200, IN("{\"history\":{\"series\":[{\"name\":1},"
	    "{\"name\":\"tunnels\",\"values\":7}]}}"));
	is_str(merged(STATUS("", "2", "4"), status),
	    "{\"processes\":[],\"now\":{\"tunnels\":2},\"history\":{"
	    "\"series\":[{\"name\":\"tunnels\",\"values\":[4]}]},"
	    "\"missing\":[]}", "or of a series");
	other("b", 200, "{\"l\":[{\"id\":1,\"member\":7}]}");
	other("c", 401, "{\"l\":[{\"id\":2}]}");
	is_str(merged("{\"l\":[{\"id\":0}]}", rows),
	    "{\"l\":[{\"id\":0,\"member\":\"a\"},{\"id\":1,\"member\":\"b\"}],"
	    "\"missing\":[\"c\"]}", "a row is of who says it, and no refusal "
	    "has any");
	other("b", 404, "{}");
	other("c", 200, "{}");
	is_str(merged("{}", missing), "{}", "who has nothing has answered");
	other("b", 503, "{}");
	is_str(merged("{}", missing), "{\"missing\":[\"b\"]}",
	    "who cannot say has not");
	return (done_testing());
}
