/* SPDX-License-Identifier: ISC */
#include <sys/wait.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "diag.h"
#include "program.h"
#include "userplug.h"
#include "usersdoc.h"
#include "usersfile.h"

#define OUT_MAX	(64 * 1024)

struct userplug {
	const struct options	*o;
	userplug_fn		 fn;
	void			*arg;
	int			 setup;
	char			**paths;
	size_t			 n, next;	/* `next`: how many are through */
	char			*users_file;
	char			**instances;	/* of each; or NULL */
	struct program		*program;
	struct timer		 step, total;
	cJSON			*apps, *errors;
};

static void	plug_step(void *);
static void	plug_said(void *, const char *, size_t, int);
static void	plug_through(struct userplug *, const char *);
static void	plug_timeout(void *);
static void	plug_finish(struct userplug *);
static void	plug_free(struct userplug *);

/* The one whose turn it is. */
static size_t
turn(const struct userplug *p)
{
	return (p->setup ? p->next : p->n - 1 - p->next);
}

static const char *
name_of(const char *path)
{
	const char	*slash = strrchr(path, '/');

	return (slash == NULL ? path : slash + 1);
}

/* A file of a plugin's; its name on the heap, or NULL. */
static char *
file_of(const char *dir, const char *name, const char *text)
{
	char	*path, *whole = NULL;

	if (asprintf(&path, "%s/%s", dir, name) == -1)
		return (NULL);
	/* They do not run where we do. */
	if (usersfile_write(path, text) == 0)
		whole = *path == '/' ? strdup(path) : realpath(path, NULL);
	free(path);
	return (whole);
}

/* What each of them reads. 0 or -1. */
static int
files_make(struct userplug *p, const char *users, const struct discovered *d,
    const cJSON *module_domains)
{
	const char	*dir = usersfile_tmp(p->o->users_state);
	char		 name[300], *text;
	size_t		 i;

	if (dir == NULL ||
	    (p->users_file = file_of(dir, "users.json", users)) == NULL ||
	    (p->instances = calloc(p->n + 1, sizeof(*p->instances))) == NULL)
		return (-1);
	for (i = 0; i < p->n; i++) {
		text = users_instances(name_of(p->paths[i]), d,
		    module_domains);
		if (text == NULL)
			continue;
		snprintf(name, sizeof(name), "instances-%zu.json", i);
		p->instances[i] = file_of(dir, name, text);
		cJSON_free(text);
		if (p->instances[i] == NULL)
			return (-1);
	}
	return (0);
}

struct userplug *
userplug_new(const struct options *o, int setup)
{
	struct userplug	*p;

	if ((p = calloc(1, sizeof(*p))) == NULL)
		return (NULL);
	p->o = o;
	p->setup = setup;
	p->apps = cJSON_CreateArray();
	p->errors = cJSON_CreateArray();
	timer_init(&p->step, plug_step, p);
	timer_init(&p->total, plug_timeout, p);
	if ((p->paths = plugin_list(o->users_dir)) != NULL)
		while (p->paths[p->n] != NULL)
			p->n++;
	if (p->n > 0 && p->apps != NULL && p->errors != NULL)
		return (p);
	plug_free(p);
	return (NULL);
}

int
userplug_run(struct userplug *p, const char *users, const struct discovered *d,
    const cJSON *module_domains, userplug_fn fn, void *arg)
{
	p->fn = fn;
	p->arg = arg;
	if (files_make(p, users, d, module_domains) == -1) {
		plug_free(p);
		return (-1);
	}
	timer_set(&p->total, p->o->users_timeout_ms);
	timer_set(&p->step, 0);
	return (0);
}

/* The next one, or the end. */
static void
plug_step(void *arg)
{
	static char		 setup[] = "setup", teardown[] = "teardown",
				 f[] = "--users-file", g[] = "--instances-file";
	struct userplug		*p = arg;
	struct program_spec	 s = { .out_max = OUT_MAX,
				    .limit_ms = p->o->users_plugin_ms };
	char			*argv[7] = { NULL };
	const char		*why = "cannot be started";
	size_t			 i;

	if (p->next == p->n) {
		plug_finish(p);
		return;
	}
	i = turn(p);
	s.name = argv[0] = p->paths[i];
	argv[1] = p->setup ? setup : teardown;
	argv[2] = f;
	argv[3] = p->users_file;
	if ((argv[5] = p->instances[i]) != NULL)
		argv[4] = g;
	s.argv = argv;
	if ((s.fd = program_open(p->paths[i], &why)) != -1) {
		p->program = program_start(&s, plug_said, p);
		close(s.fd);
		why = "cannot be started";
	}
	if (p->program == NULL)
		plug_through(p, why);
}

static void
plug_said(void *arg, const char *out, size_t len, int status)
{
	struct userplug	*p = arg;
	char		 why[64];

	p->program = NULL;
	if (p->setup && users_apps(p->apps, out, len) == -1 && status == 0)
		users_error(p->errors, name_of(p->paths[turn(p)]),
		    "says what is no app");
	if (status == PROGRAM_TIMEOUT)
		snprintf(why, sizeof(why), "took too long");
	else if (WIFEXITED(status))
		snprintf(why, sizeof(why), "exit status %d",
		    WEXITSTATUS(status));
	else
		snprintf(why, sizeof(why), "signal %d", WTERMSIG(status));
	plug_through(p, status == 0 ? NULL : why);
}

static void
plug_through(struct userplug *p, const char *why)
{
	const char	*path = p->paths[turn(p)];

	if (why != NULL) {
		log_warnx("users plugin %s: %s", path, why);
		users_error(p->errors, name_of(path), why);
	}
	p->next++;
	timer_set(&p->step, 0);
}

static void
plug_timeout(void *arg)
{
	struct userplug	*p = arg;

	if (p->program != NULL)
		program_cancel(p->program);
	p->program = NULL;
	for (; p->next < p->n; p->next++) {
		log_warnx("users plugin %s: no time left", p->paths[turn(p)]);
		users_error(p->errors, name_of(p->paths[turn(p)]),
		    "no time left");
	}
	plug_finish(p);
}

static void
plug_finish(struct userplug *p)
{
	userplug_fn	 fn = p->fn;
	void		*arg = p->arg;
	cJSON		*apps = p->apps, *errors = p->errors;

	p->apps = p->errors = NULL;
	plug_free(p);
	fn(arg, apps, errors);
}

static void
plug_free(struct userplug *p)
{
	size_t	i;

	timer_del(&p->step);
	timer_del(&p->total);
	if (p->program != NULL)
		program_cancel(p->program);
	usersfile_tmp_remove();
	for (i = 0; p->instances != NULL && i < p->n; i++)
		free(p->instances[i]);
	free(p->instances);
	free(p->users_file);
	plugin_list_free(p->paths);
	cJSON_Delete(p->apps);
	cJSON_Delete(p->errors);
	free(p);
}

void
userplug_cancel(struct userplug *p)
{
	plug_free(p);
}
