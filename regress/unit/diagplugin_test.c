/* SPDX-License-Identifier: ISC */
/* Diagnostics: thresholds of the built-in checks, what plugins say. */
#include <stdio.h>

#include "tunnel-client/diag.h"
#include "base/log.h"
#include "regress/lib/tap.h"

static const char *
text_of(const cJSON *o, const char *name)
{
	const cJSON	*s = cJSON_GetObjectItemCaseSensitive(o, name);

	return (cJSON_IsString(s) ? s->valuestring : NULL);
}

/* A check's status and value, and it is gone. */
static void
check_is(cJSON *c, const char *status, const char *value, const char *what)
{
	is_str(text_of(c, "status"), status, "%s: status", what);
	is_str(text_of(c, "value"), value, "%s: value", what);
	cJSON_Delete(c);
}

static void
checks(void)
{
	static const double	calm[3] = { 4.0, 0.5, 0.25 };
	static const double	busy[3] = { 4.01, 0, 0 };
	static const double	full[3] = { 8.0, 0, 0 };
	static const double	over[3] = { 8.01, 0, 0 };
	cJSON			*c;

	check_is(check_os("NAME=\"Debian GNU/Linux\"\nVERSION_ID='12'\n"),
	    "ok", "Debian GNU/Linux 12", "os");
	check_is(check_os("PRETTY_NAME=x\nNAME=Arch\n"), "ok", "Arch",
	    "os without a version");
	check_is(check_os("ANOTHER_NAME=x"), "ok", "unknown",
	    "os without a name");
	check_is(check_os(NULL), "ok", "unknown", "no os-release");

	check_is(check_load(calm, 4), "ok", "4.00 0.50 0.25", "load = CPUs");
	check_is(check_load(busy, 4), "warning", "4.01 0.00 0.00",
	    "load > CPUs");
	check_is(check_load(full, 4), "warning", "8.00 0.00 0.00",
	    "load = 2 x CPUs");
	check_is(check_load(over, 4), "critical", "8.01 0.00 0.00",
	    "load > 2 x CPUs");

	check_is(check_ram(1000, 150), "ok", "85.0%", "85 % of RAM");
	check_is(check_ram(1000, 149), "warning", "85.1%", "more");
	check_is(check_ram(1000, 50), "warning", "95.0%", "95 % of RAM");
	check_is(check_ram(1000, 49), "critical", "95.1%", "more");
	check_is(check_ram(0, 0), "error", "unavailable", "RAM unknown");
	check_is(check_disk(1000, 150), "ok", "85.0%", "85 % of the disk");
	check_is(check_disk(1000, 149), "warning", "85.1%", "more");
	check_is(check_disk(1000, 49), "critical", "95.1%", "over 95 %%");
	check_is(check_disk(0, 0), "error", "unavailable", "disk unknown");
	check_is(check_uptime(90061), "ok", "1 days 1 hours 1 minutes",
	    "uptime");
	check_is(check_uptime(0), "ok", "0 days 0 hours 0 minutes",
	    "no uptime");
	c = check_disk(1000, 250);
	is_int(cJSON_GetObjectItem(cJSON_GetObjectItem(c, "details"),
	    "available_bytes")->valueint, 250, "details of the disk");
	cJSON_Delete(c);
}

static void
meminfo(void)
{
	uint64_t	total, available;

	is_int(meminfo_parse("MemTotal:  1000 kB\nMemFree: 1 kB\n"
	    "MemAvailable:    400 kB\n", &total, &available), 0, "meminfo");
	ok(total == 1000 && available == 400, "MemTotal and MemAvailable");
	is_int(meminfo_parse("MemTotal: 1000 kB\nMemFree: 100 kB\n"
	    "Buffers: 20 kB\nCached: 3 kB\nSwapCached: 500 kB\n", &total,
	    &available), 0, "an old kernel");
	is_int(available, 123, "MemFree + Buffers + Cached");
	is_int(meminfo_parse("", &total, &available), -1, "nothing");
	is_int(meminfo_parse("MemFree: 1 kB", &total, &available), -1,
	    "no total");
}

/* What becomes of an output, written out. */
static void
said(const char *out, enum diag_status exit, const char *want,
    const char *what)
{
	cJSON	*o = plugin_result("/d/x.y.sh", out, strlen(out), exit);
	char	*text = cJSON_PrintUnformatted(o);

	is_str(text, want, "%s", what);
	free(text);
	cJSON_Delete(o);
}

static void
plugins(void)
{
	char	long_text[4000], want[2000];

	said("", DIAG_OK, "{\"id\":\"x.y\",\"name\":\"x.y\","
	    "\"status\":\"ok\"}", "no output: the file's name");
	said(" \n text \t\n", DIAG_CRITICAL, "{\"id\":\"x.y\",\"name\":"
	    "\"x.y\",\"status\":\"critical\",\"summary\":\"text\"}",
	    "text, trimmed");
	said("[1]", DIAG_OK, "{\"id\":\"x.y\",\"name\":\"x.y\","
	    "\"status\":\"ok\",\"summary\":\"[1]\"}", "JSON but no object");
	said("{\"id\":\"i\",\"name\":\"n\",\"status\":\"warning\"}",
	    DIAG_OK, "{\"id\":\"i\",\"name\":\"n\",\"status\":\"warning\"}",
	    "what it states is worse than its exit");
	said("{\"status\":\"ok\"}", DIAG_TIMEOUT, "{\"id\":\"x.y\","
	    "\"name\":\"x.y\",\"status\":\"timeout\"}", "its exit is worse");
	said("{\"status\":\"great\"}", DIAG_OK, "{\"id\":\"x.y\",\"name\":"
	    "\"x.y\",\"status\":\"error\"}", "an unknown status is error");
	said("{\"id\":1,\"summary\":2,\"checks\":3}", DIAG_OK,
	    "{\"id\":\"x.y\",\"name\":\"x.y\",\"status\":\"ok\"}",
	    "members of the wrong type");
	said("{\"checks\":[{\"name\":\"a\"},{\"value\":\"no name\"},7,"
	    "{\"name\":\"b\",\"status\":\"ok\",\"value\":\"v\",\"details\":"
	    "{\"a\":1,\"b\":[1],\"c\":{},\"d\":null,\"e\":true}}]}", DIAG_OK,
	    "{\"id\":\"x.y\",\"name\":\"x.y\",\"status\":\"ok\",\"checks\":["
	    "{\"name\":\"a\",\"status\":\"error\"},{\"name\":\"b\","
	    "\"status\":\"ok\",\"value\":\"v\",\"details\":{\"a\":1,"
	    "\"d\":null,\"e\":true}}]}", "checks: named ones, flat details");
	memset(long_text, 'x', sizeof(long_text));
	snprintf(long_text, sizeof(long_text), "{\"summary\":\"%02000d\"}", 0);
	snprintf(want, sizeof(want), "{\"id\":\"x.y\",\"name\":\"x.y\","
	    "\"status\":\"ok\",\"summary\":\"%01024d\"}", 0);
	said(long_text, DIAG_OK, want, "a text is cut at 1 KiB");
}

static void
statuses(void)
{
	static const char *const order[] = { "ok", "warning", "timeout",
	    "error", "critical" };
	int			 i, rises = 1;

	for (i = 1; i < 5; i++)
		rises &= diag_status_parse(order[i - 1]) <
		    diag_status_parse(order[i]);
	ok(rises, "ok < warning < timeout < error < critical");
	is_int(plugin_exit_status(0), DIAG_OK, "exit 0");
	is_int(plugin_exit_status(1 << 8), DIAG_WARNING, "exit 1");
	is_int(plugin_exit_status(2 << 8), DIAG_CRITICAL, "exit 2");
	is_int(plugin_exit_status(3 << 8), DIAG_ERROR, "exit 3");
	is_int(plugin_exit_status(9), DIAG_ERROR, "a signal");
}

int
main(void)
{
	log_init("diagplugin_test", -1, 0);
	checks();
	meminfo();
	plugins();
	statuses();
	return (done_testing());
}
