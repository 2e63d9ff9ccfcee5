/* SPDX-License-Identifier: ISC */
/*
 * Diagnostics plugins: which files are taken, and what is kept of what they
 * say. How they are run: program.c.
 */
#include <sys/wait.h>

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "diag.h"
#include "base/log.h"
#include "program.h"
#include "ws/ws.h"

#define CHECKS_MAX	64
#define DETAILS_MAX	4096	/* of a details object, written out */
#define SUMMARY_MAX	256	/* of output that is not JSON */

struct plugin {
	plugin_fn	 fn;
	void		*arg;
	struct program	*program;
};

static void	plugin_said(void *, const char *, size_t, int);

/* Which. */

static int
path_cmp(const void *a, const void *b)
{
	return (strcmp(*(char *const *)a, *(char *const *)b));
}

/* Take a file if it may run. -1: out of memory. */
static int
list_add(char **list, size_t *n, const char *dir, const char *name)
{
	const char	*why = "too many plugins";
	char		*path, shown[256];
	int		 fd;

	if (asprintf(&path, "%s/%s", dir, name) == -1)
		return (-1);
	if (*n < PLUGINS_MAX && (fd = program_open(path, &why)) != -1) {
		close(fd);
		list[(*n)++] = path;
		return (0);
	}
	log_info("plugin %s: %s, skipped", log_escape(shown, sizeof(shown),
	    path, strlen(path)), why);
	free(path);
	return (0);
}

char **
plugin_list(const char *dir)
{
	char		**list;
	const char	 *why;
	struct dirent	 *de;
	DIR		 *d;
	size_t		  n = 0;
	int		  r = 0;

	if ((list = calloc(PLUGINS_MAX + 1, sizeof(*list))) == NULL)
		return (NULL);
	if ((d = opendir(dir)) == NULL) {
		if (errno != ENOENT)
			log_warn("%s", dir);
		return (list);
	}
	if ((why = program_dir_refused(dirfd(d))) != NULL) {
		log_warnx("%s: %s, no plugin runs", dir, why);
		closedir(d);
		return (list);
	}
	/* cppcheck-suppress readdirCalled ; there is one thread */
	while (r == 0 && (de = readdir(d)) != NULL)
		if (strcmp(de->d_name, ".") != 0 &&
		    strcmp(de->d_name, "..") != 0)
			r = list_add(list, &n, dir, de->d_name);
	closedir(d);
	qsort(list, n, sizeof(*list), path_cmp);
	if (r == 0)
		return (list);
	plugin_list_free(list);
	return (NULL);
}

void
plugin_list_free(char **list)
{
	size_t	i;

	if (list == NULL)
		return;
	for (i = 0; list[i] != NULL; i++)
		free(list[i]);
	free(list);
}

/* Run. */

struct plugin *
plugin_start(const char *path, uint64_t limit_ms, plugin_fn fn, void *arg)
{
	struct plugin		*p;
	struct program_spec	 s = { .name = path, .out_max = PLUGIN_OUT_MAX,
				    .limit_ms = limit_ms };
	char			*argv[2] = { (char *)(uintptr_t)path, NULL };
	const char		*why;

	if ((p = calloc(1, sizeof(*p))) == NULL)
		return (NULL);
	p->fn = fn;
	p->arg = arg;
	s.argv = argv;
	/* It was looked at when the list was made: it may be another now. */
	if ((s.fd = program_open(path, &why)) == -1) {
		log_warnx("plugin %s: %s", path, why);
	} else {
		p->program = program_start(&s, plugin_said, p);
		close(s.fd);
	}
	if (p->program != NULL)
		return (p);
	free(p);
	return (NULL);
}

static void
plugin_said(void *arg, const char *out, size_t len, int status)
{
	struct plugin	*p = arg;
	plugin_fn	 fn = p->fn;
	void		*fn_arg = p->arg;

	free(p);
	fn(fn_arg, out, len, status == PROGRAM_TIMEOUT ? DIAG_TIMEOUT :
	    plugin_exit_status(status));
}

void
plugin_cancel(struct plugin *p)
{
	program_cancel(p->program);
	free(p);
}

/* What it said. */

enum diag_status
plugin_exit_status(int status)
{
	if (!WIFEXITED(status))
		return (DIAG_ERROR);
	switch (WEXITSTATUS(status)) {
	case 0:
		return (DIAG_OK);
	case 1:
		return (DIAG_WARNING);
	case 2:
		return (DIAG_CRITICAL);
	default:
		return (DIAG_ERROR);
	}
}

static const char *
string_of(const cJSON *o, const char *name)
{
	const cJSON	*s = cJSON_GetObjectItemCaseSensitive(o, name);

	return (cJSON_IsString(s) ? s->valuestring : NULL);
}

/* Scalars of one flat object, if they are not too much. */
static void
add_details(cJSON *to, const cJSON *details)
{
	const cJSON	*d;
	cJSON		*flat, *copy;
	char		*text = NULL;

	if (!cJSON_IsObject(details) || (flat = cJSON_CreateObject()) == NULL)
		return;
	cJSON_ArrayForEach(d, details) {
		if (cJSON_IsObject(d) || cJSON_IsArray(d))
			continue;
		if (cJSON_IsString(d))
			(void)json_add_text(flat, d->string, d->valuestring,
			    strlen(d->valuestring));
		else if ((copy = cJSON_Duplicate(d, 0)) != NULL)
			cJSON_AddItemToObject(flat, d->string, copy);
	}
	text = cJSON_PrintUnformatted(flat);
	if (text != NULL && strlen(text) <= DETAILS_MAX &&
	    ws_utf8((uint8_t *)text, strlen(text)))
		cJSON_AddItemToObject(to, "details", flat);
	else
		cJSON_Delete(flat);
	cJSON_free(text);
}

static void
add_checks(cJSON *to, const cJSON *said)
{
	const cJSON	*c;
	const char	*s;
	cJSON		*checks, *o;
	int		 n = 0;

	if (!cJSON_IsArray(said) ||
	    (checks = cJSON_AddArrayToObject(to, "checks")) == NULL)
		return;
	cJSON_ArrayForEach(c, said) {
		if ((s = string_of(c, "name")) == NULL || n == CHECKS_MAX ||
		    (o = cJSON_CreateObject()) == NULL)
			continue;
		n++;
		(void)json_add_text(o, "name", s, strlen(s));
		s = string_of(c, "status");
		(void)cJSON_AddStringToObject(o, "status", diag_status_name(
		    s == NULL ? DIAG_ERROR : diag_status_parse(s)));
		if ((s = string_of(c, "value")) != NULL)
			(void)json_add_text(o, "value", s, strlen(s));
		add_details(o, cJSON_GetObjectItemCaseSensitive(c,
		    "details"));
		cJSON_AddItemToArray(checks, o);
	}
}

/* The file's name without its last extension. */
static void
base_name(const char *path, char *out, size_t size)
{
	const char	*slash = strrchr(path, '/');
	char		*dot;

	strlcpy(out, slash == NULL ? path : slash + 1, size);
	if ((dot = strrchr(out, '.')) != NULL && dot != out)
		*dot = '\0';
}

static void
add_summary(cJSON *to, const cJSON *said, const char *out, size_t len)
{
	const char	*s = string_of(said, "summary");

	if (s != NULL) {
		(void)json_add_text(to, "summary", s, strlen(s));
		return;
	}
	if (said != NULL)
		return;
	while (len > 0 && isspace((unsigned char)*out)) {
		out++;
		len--;
	}
	while (len > 0 && isspace((unsigned char)out[len - 1]))
		len--;
	if (len > 0)
		(void)json_add_text(to, "summary", out, len < SUMMARY_MAX ? len :
		    SUMMARY_MAX);
}

cJSON *
plugin_result(const char *path, const char *out, size_t len,
    enum diag_status exit)
{
	cJSON			*said, *o = cJSON_CreateObject();
	enum diag_status	 status = exit;
	char			 base[256];
	const char		*s, *id, *name;

	base_name(path, base, sizeof(base));
	said = cJSON_ParseWithLength(out, len);
	if (!cJSON_IsObject(said)) {
		cJSON_Delete(said);
		said = NULL;
	}
	id = string_of(said, "id");
	name = string_of(said, "name");
	if ((s = string_of(said, "status")) != NULL &&
	    diag_status_parse(s) > status)
		status = diag_status_parse(s);
	if (id == NULL || *id == '\0')
		id = base;
	if (name == NULL || *name == '\0')
		name = base;
	if (json_add_text(o, "id", id, strlen(id)) == -1 ||
	    json_add_text(o, "name", name, strlen(name)) == -1 ||
	    cJSON_AddStringToObject(o, "status", diag_status_name(status)) ==
	    NULL) {
		cJSON_Delete(o);
		o = NULL;
	} else {
		add_summary(o, said, out, len);
		add_checks(o, cJSON_GetObjectItemCaseSensitive(said,
		    "checks"));
	}
	cJSON_Delete(said);
	return (o);
}
