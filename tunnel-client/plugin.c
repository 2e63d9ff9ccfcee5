/* SPDX-License-Identifier: ISC */
/*
 * Plugins: which files are taken, how they are run, what is kept of what they
 * say. A plugin that hangs, floods, or leaves a child behind that holds its
 * output costs its own entry and nothing else (T25).
 */
#include <sys/stat.h>
#include <sys/wait.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "child.h"
#include "base/clock.h"
#include "base/compat.h"
#include "diag.h"
#include "base/log.h"
#include "net.h"
#include "ws/ws.h"

#define CHECKS_MAX	64
#define TEXT_MAX	1024	/* bytes of a string; the server's limit */
#define DETAILS_MAX	4096	/* of a details object, written out */
#define SUMMARY_MAX	256	/* of output that is not JSON */

struct plugin {
	plugin_fn	 fn;
	void		*arg;
	char		*path;
	struct child	*child;
	int		 fd;
	struct event	 ev;
	struct timer	 timer;
	char		*out;
	size_t		 len, cap;
	int		 flooded;	/* said more than is kept */
};

static void	plugin_readable(evutil_socket_t, short, void *);
static void	plugin_ended(void *, int);
static void	plugin_timeout(void *);
static void	plugin_finish(struct plugin *, enum diag_status);
static void	plugin_free(struct plugin *);

/* Which. */

static const char *
file_refused(const char *path)
{
	struct stat	sb;

	if (lstat(path, &sb) == -1)
		return (strerror(errno));
	if (!S_ISREG(sb.st_mode))
		return ("not a regular file");
	if ((sb.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) == 0)
		return ("not executable");
	if (sb.st_uid != 0 && sb.st_uid != geteuid())
		return ("belongs to another user");
	if ((sb.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return ("others may write to it");
	return (NULL);
}

/*
 * Whoever may write to the directory could put another file in the place of
 * one that was looked at, before it runs.
 */
static const char *
dir_refused(int fd)
{
	struct stat	sb;

	if (fstat(fd, &sb) == -1)
		return (strerror(errno));
	if (sb.st_uid != 0 && sb.st_uid != geteuid())
		return ("belongs to another user");
	if ((sb.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return ("others may write to it");
	return (NULL);
}

static int
path_cmp(const void *a, const void *b)
{
	return (strcmp(*(char *const *)a, *(char *const *)b));
}

/* Take a file if it may run. -1: out of memory. */
static int
list_add(char **list, size_t *n, const char *dir, const char *name)
{
	const char	*why;
	char		*path, shown[256];

	if (asprintf(&path, "%s/%s", dir, name) == -1)
		return (-1);
	why = *n == PLUGINS_MAX ? "too many plugins" : file_refused(path);
	if (why == NULL) {
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
	if ((why = dir_refused(dirfd(d))) != NULL) {
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

__attribute__((noreturn)) static void
plugin_exec(const char *path, int out)
{
	static char	env_path[] = "PATH=/usr/local/sbin:/usr/local/bin:"
			    "/usr/sbin:/usr/bin:/sbin:/bin";
	char		*argv[2] = { (char *)(uintptr_t)path, NULL };
	char		*env[2] = { env_path, NULL };
	int		 null;

	(void)setpgid(0, 0);
	if ((null = open("/dev/null", O_RDWR)) == -1 ||
	    dup2(out, STDOUT_FILENO) == -1 ||
	    dup2(null, STDIN_FILENO) == -1 ||
	    dup2(null, STDERR_FILENO) == -1)
		_exit(127);
	child_reset(3);
	(void)execve(path, argv, env);
	_exit(127);
}

struct plugin *
plugin_start(const char *path, uint64_t limit_ms, plugin_fn fn, void *arg)
{
	struct plugin	*p;
	int		 fds[2];
	pid_t		 pid;

	if ((p = calloc(1, sizeof(*p))) == NULL)
		return (NULL);
	p->fn = fn;
	p->arg = arg;
	p->fd = -1;
	timer_init(&p->timer, plugin_timeout, p);
	if ((p->path = strdup(path)) == NULL ||
	    pipe2(fds, O_CLOEXEC) == -1) {
		plugin_free(p);
		return (NULL);
	}
	p->fd = fds[0];
	(void)fcntl(p->fd, F_SETFL, O_NONBLOCK);
	if ((pid = fork()) == 0)
		plugin_exec(path, fds[1]);
	close(fds[1]);
	if (pid != -1)
		(void)setpgid(pid, pid);	/* whoever comes first */
	if (pid == -1 ||
	    (p->child = child_watch(pid, plugin_ended, p)) == NULL) {
		log_warn("plugin %s", path);
		plugin_free(p);
		return (NULL);
	}
	event_assign(&p->ev, net_base(), p->fd, EV_READ | EV_PERSIST,
	    plugin_readable, p);
	event_add(&p->ev, NULL);
	timer_set(&p->timer, limit_ms);
	return (p);
}

/* Keep what has room; the rest is read and dropped, so that it can end. */
static void
plugin_take(struct plugin *p, const char *buf, size_t n)
{
	char	*bigger;
	size_t	 cap;

	if (n > PLUGIN_OUT_MAX - p->len) {
		n = PLUGIN_OUT_MAX - p->len;
		p->flooded = 1;
	}
	if (p->len + n > p->cap) {
		for (cap = p->cap == 0 ? 4096 : p->cap; cap < p->len + n;)
			cap *= 2;
		if ((bigger = realloc(p->out, cap)) == NULL)
			return;
		p->out = bigger;
		p->cap = cap;
	}
	if (n > 0)
		memcpy(p->out + p->len, buf, n);
	p->len += n;
}

static void
plugin_readable(evutil_socket_t fd, short what, void *arg)
{
	struct plugin	*p = arg;
	char		 buf[16384];
	ssize_t		 n;

	(void)what;
	n = read(fd, buf, sizeof(buf));
	if (n > 0)
		plugin_take(p, buf, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		event_del(&p->ev);	/* now its end, or the limit */
}

/*
 * Its group is dead by now, so what the pipe holds is all there will be; a
 * process that left the group may still hold the other end, and is not waited
 * for.
 */
static void
plugin_ended(void *arg, int status)
{
	struct plugin	*p = arg;
	char		 buf[16384];
	ssize_t		 n;
	int		 i;

	p->child = NULL;
	for (i = 0; i < PLUGIN_OUT_MAX / (int)sizeof(buf) &&
	    (n = read(p->fd, buf, sizeof(buf))) > 0; i++)
		plugin_take(p, buf, (size_t)n);
	plugin_finish(p, plugin_exit_status(status));
}

static void
plugin_timeout(void *arg)
{
	struct plugin	*p = arg;

	log_info("plugin %s: killed, it took too long", p->path);
	plugin_finish(p, DIAG_TIMEOUT);
}

static void
plugin_finish(struct plugin *p, enum diag_status status)
{
	plugin_fn	 fn = p->fn;
	void		*arg = p->arg;
	char		*out = p->out;
	size_t		 len = p->len;

	if (p->flooded)
		log_info("plugin %s: output over %d bytes dropped", p->path,
		    PLUGIN_OUT_MAX);
	p->out = NULL;
	plugin_free(p);
	fn(arg, out == NULL ? "" : out, len, status);
	free(out);
}

static void
plugin_free(struct plugin *p)
{
	timer_del(&p->timer);
	if (p->child != NULL)
		child_kill(p->child);
	if (event_initialized(&p->ev))
		event_del(&p->ev);
	if (p->fd != -1)
		close(p->fd);
	free(p->path);
	free(p->out);
	free(p);
}

void
plugin_cancel(struct plugin *p)
{
	plugin_free(p);
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

/*
 * Add a text: cut to the server's limit, bytes that are no UTF-8 and control
 * characters replaced.
 */
static int
add_text(cJSON *to, const char *name, const char *text, size_t len)
{
	char	*copy;
	size_t	 i;
	int	 r;

	if ((copy = malloc(len + 1)) == NULL)
		return (-1);
	memcpy(copy, text, len);	/* it has no end of its own */
	copy[len] = '\0';
	for (i = 0; copy[i] != '\0'; i++)
		if ((unsigned char)copy[i] < 0x20 || copy[i] == 0x7f)
			copy[i] = ' ';
	if (i > TEXT_MAX) {
		for (i = TEXT_MAX; i > 0 && (copy[i] & 0xc0) == 0x80; i--)
			;
		copy[i] = '\0';
	}
	if (!ws_utf8((uint8_t *)copy, i))
		for (i = 0; copy[i] != '\0'; i++)
			if ((unsigned char)copy[i] >= 0x80)
				copy[i] = '?';
	r = cJSON_AddStringToObject(to, name, copy) == NULL ? -1 : 0;
	free(copy);
	return (r);
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
			(void)add_text(flat, d->string, d->valuestring,
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
		(void)add_text(o, "name", s, strlen(s));
		s = string_of(c, "status");
		(void)cJSON_AddStringToObject(o, "status", diag_status_name(
		    s == NULL ? DIAG_ERROR : diag_status_parse(s)));
		if ((s = string_of(c, "value")) != NULL)
			(void)add_text(o, "value", s, strlen(s));
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
		(void)add_text(to, "summary", s, strlen(s));
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
		(void)add_text(to, "summary", out, len < SUMMARY_MAX ? len :
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
	if (add_text(o, "id", id, strlen(id)) == -1 ||
	    add_text(o, "name", name, strlen(name)) == -1 ||
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
