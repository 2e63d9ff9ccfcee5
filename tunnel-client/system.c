/* SPDX-License-Identifier: ISC */
/* The built-in plugin: five checks of the machine. tunnel-protocol.md, 7.6. */
#include <sys/statvfs.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "diag.h"
#include "ws/ws.h"

#define USED_CRITICAL	95.0	/* per cent */
#define USED_WARNING	85.0

static const char *const status_names[] = { "ok", "warning", "timeout",
    "error", "critical" };

const char *
diag_status_name(enum diag_status s)
{
	return (status_names[s]);
}

enum diag_status
diag_status_parse(const char *s)
{
	size_t	i;

	for (i = 0; i < sizeof(status_names) / sizeof(status_names[0]); i++)
		if (strcmp(s, status_names[i]) == 0)
			return ((enum diag_status)i);
	return (DIAG_ERROR);
}

static cJSON *
check_new(const char *name, enum diag_status s, const char *value)
{
	cJSON	*o = cJSON_CreateObject();

	if (cJSON_AddStringToObject(o, "name", name) == NULL ||
	    cJSON_AddStringToObject(o, "status", diag_status_name(s)) ==
	    NULL || cJSON_AddStringToObject(o, "value", value) == NULL) {
		cJSON_Delete(o);
		return (NULL);
	}
	return (o);
}

/* The value of NAME= in a file of shell assignments, quotes removed. */
static void
assignment(const char *text, const char *name, char *out, size_t size)
{
	const char	*p = text;
	size_t		 len = strlen(name), n = 0;

	*out = '\0';
	for (; p != NULL && *p != '\0'; p = strchr(p, '\n'),
	    p = p == NULL ? NULL : p + 1)
		if (strncmp(p, name, len) == 0 && p[len] == '=')
			break;
	if (p == NULL || *p == '\0')
		return;
	for (p += len + 1; *p != '\0' && *p != '\n' && n + 1 < size; p++)
		if (*p != '"' && *p != '\'')
			out[n++] = *p;
	out[n] = '\0';
}

cJSON *
check_os(const char *text)
{
	char	name[256], version[128], value[400];

	if (text == NULL)
		return (check_new("os", DIAG_OK, "unknown"));
	assignment(text, "NAME", name, sizeof(name));
	assignment(text, "VERSION_ID", version, sizeof(version));
	snprintf(value, sizeof(value), "%s%s%s", name, *name == '\0' ||
	    *version == '\0' ? "" : " ", version);
	if (*value == '\0' || !ws_utf8((uint8_t *)value, strlen(value)))
		strlcpy(value, "unknown", sizeof(value));
	return (check_new("os", DIAG_OK, value));
}

static enum diag_status
by_limits(double v, double critical, double warning)
{
	return (v > critical ? DIAG_CRITICAL : v > warning ? DIAG_WARNING :
	    DIAG_OK);
}

cJSON *
check_load(const double load[3], int cpus)
{
	char	 value[64];
	cJSON	*o, *d;

	snprintf(value, sizeof(value), "%.2f %.2f %.2f", load[0], load[1],
	    load[2]);
	o = check_new("load_average", by_limits(load[0], 2.0 * cpus, cpus),
	    value);
	d = cJSON_AddObjectToObject(o, "details");
	cJSON_AddNumberToObject(d, "load_1m", load[0]);
	cJSON_AddNumberToObject(d, "load_5m", load[1]);
	cJSON_AddNumberToObject(d, "load_15m", load[2]);
	cJSON_AddNumberToObject(d, "cpu_count", cpus);
	return (o);
}

/* A share of something, in per cent and in units of `unit`. */
static cJSON *
check_used(const char *name, uint64_t total, uint64_t available,
    const char *total_name, const char *available_name)
{
	char	 value[32];
	double	 used;
	cJSON	*o, *d;

	if (total == 0 || available > total)
		return (check_new(name, DIAG_ERROR, "unavailable"));
	used = (double)(total - available) * 100 / (double)total;
	snprintf(value, sizeof(value), "%.1f%%", used);
	o = check_new(name, by_limits(used, USED_CRITICAL, USED_WARNING),
	    value);
	d = cJSON_AddObjectToObject(o, "details");
	cJSON_AddNumberToObject(d, total_name, (double)total);
	cJSON_AddNumberToObject(d, available_name, (double)available);
	cJSON_AddNumberToObject(d, "used_pct", used);
	return (o);
}

cJSON *
check_ram(uint64_t total_kb, uint64_t available_kb)
{
	return (check_used("ram_usage", total_kb, available_kb, "total_kb",
	    "available_kb"));
}

cJSON *
check_disk(uint64_t total, uint64_t available)
{
	return (check_used("disk_usage", total, available, "total_bytes",
	    "available_bytes"));
}

cJSON *
check_uptime(uint64_t seconds)
{
	unsigned long long	days = seconds / 86400, hours, minutes;
	char			value[96];
	cJSON			*o, *d;

	hours = seconds / 3600 % 24;
	minutes = seconds / 60 % 60;
	snprintf(value, sizeof(value), "%llu days %llu hours %llu minutes",
	    days, hours, minutes);
	o = check_new("uptime", DIAG_OK, value);
	d = cJSON_AddObjectToObject(o, "details");
	cJSON_AddNumberToObject(d, "days", (double)days);
	cJSON_AddNumberToObject(d, "hours", (double)hours);
	cJSON_AddNumberToObject(d, "minutes", (double)minutes);
	cJSON_AddNumberToObject(d, "total_seconds", (double)seconds);
	return (o);
}

int
meminfo_parse(const char *text, uint64_t *total, uint64_t *available)
{
	static const char *const names[] = { "MemTotal:", "MemAvailable:",
	    "MemFree:", "Buffers:", "Cached:" };
	uint64_t		 v[5] = { 0 };
	int			 seen[5] = { 0 };
	const char		*p;
	size_t			 i, len;

	for (p = text; *p != '\0'; p += strcspn(p, "\n"), p += *p == '\n')
		for (i = 0; i < 5; i++) {
			len = strlen(names[i]);
			if (strncmp(p, names[i], len) != 0)
				continue;
			v[i] = strtoull(p + len, NULL, 10);
			seen[i] = 1;
		}
	*total = v[0];
	*available = seen[1] ? v[1] : v[2] + v[3] + v[4];
	return (seen[0] && (seen[1] || seen[2]) ? 0 : -1);
}

/* A small file of /proc or /etc, terminated; NULL if it cannot be read. */
static char *
file_read(const char *path, char *buf, size_t size)
{
	ssize_t	n = -1;
	int	fd;

	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return (NULL);
	n = read(fd, buf, size - 1);
	close(fd);
	if (n <= 0)
		return (NULL);
	buf[n] = '\0';
	return (buf);
}

static cJSON *
disk_now(void)
{
	struct statvfs	v;

	if (statvfs("/", &v) == -1)
		return (check_disk(0, 0));
	return (check_disk((uint64_t)v.f_blocks * v.f_frsize,
	    (uint64_t)v.f_bavail * v.f_frsize));
}

static cJSON *
ram_now(char *buf, size_t size)
{
	uint64_t	total = 0, available = 0;

	if (file_read("/proc/meminfo", buf, size) == NULL ||
	    meminfo_parse(buf, &total, &available) == -1)
		return (check_ram(0, 0));
	return (check_ram(total, available));
}

cJSON *
system_plugin(void)
{
	char	 buf[8192];
	cJSON	*o = cJSON_CreateObject(), *checks;
	double	 load[3] = { 0, 0, 0 };
	long	 cpus = sysconf(_SC_NPROCESSORS_ONLN);

	cJSON_AddStringToObject(o, "id", "system");
	cJSON_AddStringToObject(o, "name", "System");
	cJSON_AddStringToObject(o, "status", "ok");
	if ((checks = cJSON_AddArrayToObject(o, "checks")) == NULL) {
		cJSON_Delete(o);
		return (NULL);
	}
	cJSON_AddItemToArray(checks, check_os(file_read("/etc/os-release",
	    buf, sizeof(buf))));
	(void)getloadavg(load, 3);
	cJSON_AddItemToArray(checks, check_load(load, cpus < 1 ? 1 :
	    (int)cpus));
	cJSON_AddItemToArray(checks, ram_now(buf, sizeof(buf)));
	cJSON_AddItemToArray(checks, disk_now());
	cJSON_AddItemToArray(checks, check_uptime(file_read("/proc/uptime",
	    buf, sizeof(buf)) == NULL ? 0 : strtoull(buf, NULL, 10)));
	cJSON_ReplaceItemInObject(o, "status",
	    cJSON_CreateString(diag_status_name(system_worst(o))));
	return (o);
}

enum diag_status
system_worst(const cJSON *plugin)
{
	enum diag_status	 worst = DIAG_OK, s;
	const cJSON		*check, *status;

	cJSON_ArrayForEach(check, cJSON_GetObjectItemCaseSensitive(plugin,
	    "checks")) {
		status = cJSON_GetObjectItemCaseSensitive(check, "status");
		s = cJSON_IsString(status) ?
		    diag_status_parse(status->valuestring) : DIAG_OK;
		if (s > worst)
			worst = s;
	}
	return (worst);
}
