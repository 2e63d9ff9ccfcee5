/* SPDX-License-Identifier: ISC */
/*
 * One report: the built-in plugin, then the others one after another, within a
 * limit for each and one for all. When that is reached, what is there is sent
 * and the rest is marked as timed out (T25).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "diag.h"
#include "base/log.h"

#define REPORT_MAX	(500 * 1024)	/* bytes; the server takes 512 KiB */

struct diag {
	const struct options	*o;
	void			(*fn)(void *, const char *);
	void			*arg;
	int64_t			 wall_ms;	/* when it began */
	uint64_t		 began_ms;
	char			**paths;
	size_t			 next;		/* the one that runs, or will */
	struct plugin		*plugin;
	cJSON			*plugins;	/* the array */
	enum diag_status	 worst;
	size_t			 size;		/* of it, written out */
	struct timer		 total, step;
};

static void	diag_step(void *);
static void	diag_plugin_done(void *, const char *, size_t,
		    enum diag_status);
static void	diag_timeout(void *);
static void	diag_add(struct diag *, cJSON *);
static void	diag_finish(struct diag *);
static void	diag_free(struct diag *);

struct diag *
diag_start(const struct options *o, void (*fn)(void *, const char *), void *arg)
{
	struct diag	*d;

	if ((d = calloc(1, sizeof(*d))) == NULL)
		return (NULL);
	d->o = o;
	d->fn = fn;
	d->arg = arg;
	d->wall_ms = clock_wall_ms();
	d->began_ms = clock_ms();
	timer_init(&d->total, diag_timeout, d);
	timer_init(&d->step, diag_step, d);
	d->paths = plugin_list(o->diagnostics_dir);
	d->plugins = cJSON_CreateArray();
	if (d->paths == NULL || d->plugins == NULL) {
		diag_free(d);
		return (NULL);
	}
	diag_add(d, system_plugin());
	timer_set(&d->total, o->diagnostics_timeout_ms);
	timer_set(&d->step, 0);
	return (d);
}

/* The next plugin, or the end. */
static void
diag_step(void *arg)
{
	struct diag	*d = arg;
	const char	*path;

	if ((path = d->paths[d->next]) == NULL) {
		diag_finish(d);
		return;
	}
	d->plugin = plugin_start(path, d->o->plugin_timeout_ms,
	    diag_plugin_done, d);
	if (d->plugin == NULL)
		diag_plugin_done(d, "", 0, DIAG_ERROR);
}

static void
diag_plugin_done(void *arg, const char *out, size_t len, enum diag_status exit)
{
	struct diag	*d = arg;

	d->plugin = NULL;
	diag_add(d, plugin_result(d->paths[d->next++], out, len, exit));
	timer_set(&d->step, 0);
}

static void
diag_timeout(void *arg)
{
	struct diag	*d = arg;

	if (d->plugin != NULL)
		plugin_cancel(d->plugin);
	d->plugin = NULL;
	for (; d->paths[d->next] != NULL; d->next++) {
		log_info("plugin %s: no time left", d->paths[d->next]);
		diag_add(d, plugin_result(d->paths[d->next], "", 0,
		    DIAG_TIMEOUT));
	}
	diag_finish(d);
}

/* Into the report, if it still fits: else without what it has to say. */
static void
diag_add(struct diag *d, cJSON *o)
{
	const cJSON		*s;
	enum diag_status	 status = DIAG_ERROR;
	char			*text;

	s = cJSON_GetObjectItemCaseSensitive(o, "status");
	if (cJSON_IsString(s))
		status = diag_status_parse(s->valuestring);
	if (status > d->worst)
		d->worst = status;
	text = o == NULL ? NULL : cJSON_PrintUnformatted(o);
	if (text == NULL) {
		log_warnx("diagnostics: out of memory");
		cJSON_Delete(o);
		return;
	}
	if (d->size + strlen(text) > REPORT_MAX) {
		cJSON_DeleteItemFromObject(o, "checks");
		cJSON_DeleteItemFromObject(o, "summary");
		cJSON_AddStringToObject(o, "summary",
		    "left out: the report is too long");
	} else
		d->size += strlen(text);
	cJSON_free(text);
	cJSON_AddItemToArray(d->plugins, o);
}

static void
time_text(int64_t wall_ms, char *out, size_t size)
{
	time_t		s = (time_t)(wall_ms / 1000);
	struct tm	tm;
	size_t		n;

	gmtime_r(&s, &tm);
	n = strftime(out, size, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + n, size - n, ".%03dZ", (int)(wall_ms % 1000));
}

/* The document; d->plugins moves into it. */
static char *
diag_document(struct diag *d)
{
	cJSON	*o = cJSON_CreateObject();
	char	 when[40], *text, *line = NULL;

	time_text(d->wall_ms, when, sizeof(when));
	cJSON_AddStringToObject(o, "collected_at", when);
	cJSON_AddNumberToObject(o, "duration_ms",
	    (double)(clock_ms() - d->began_ms));
	cJSON_AddStringToObject(o, "overall_status",
	    diag_status_name(d->worst));
	if (cJSON_AddItemToObject(o, "plugins", d->plugins))
		d->plugins = NULL;
	text = cJSON_PrintUnformatted(o);
	if (text != NULL && asprintf(&line, "%s\n", text) == -1)
		line = NULL;
	cJSON_free(text);
	cJSON_Delete(o);
	return (line);
}

static void
diag_finish(struct diag *d)
{
	void	(*fn)(void *, const char *) = d->fn;
	void	 *arg = d->arg;
	char	 *text = diag_document(d);

	diag_free(d);
	fn(arg, text);
	free(text);
}

static void
diag_free(struct diag *d)
{
	timer_del(&d->total);
	timer_del(&d->step);
	if (d->plugin != NULL)
		plugin_cancel(d->plugin);
	plugin_list_free(d->paths);
	cJSON_Delete(d->plugins);
	free(d);
}

void
diag_cancel(struct diag *d)
{
	diag_free(d);
}
