/* SPDX-License-Identifier: ISC */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "shell.h"

#define ENV_MAX		32

static const char	default_path[] =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

static struct {
	char	*kept[ENV_MAX];		/* NAME=value, of the allow-list */
	size_t	 n;
	char	*shell;			/* $SHELL */
	char	*env[ENV_MAX + 8];
	/* of the passwd entry: asked for once, since that may take its time */
	char	 dir[1000], name[256];	/* "" without an entry */
	char	 home[1024], user[300], logname[300], shell_var[1024];
} sh;

/* Language, time zone, path: nothing that programs take orders from. */
static int
allowed(const char *var)
{
	static const char *const	names[] = { "LANG=", "LANGUAGE=", "TZ=",
					    "PATH=", "LC_" };
	size_t				i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strncmp(var, names[i], strlen(names[i])) == 0)
			return (1);
	return (0);
}

void
shell_remember(char **envp)
{
	/* cppcheck-suppress getpwuidCalled ; there is one thread */
	struct passwd	*pw = getpwuid(geteuid());

	snprintf(sh.dir, sizeof(sh.dir), "%s", pw == NULL ||
	    *pw->pw_dir == '\0' ? "/" : pw->pw_dir);
	snprintf(sh.name, sizeof(sh.name), "%s", pw == NULL ? "" :
	    pw->pw_name);
	for (; *envp != NULL; envp++) {
		if (strncmp(*envp, "SHELL=/", 7) == 0 && sh.shell == NULL)
			sh.shell = strdup(*envp + 6);
		else if (allowed(*envp) && sh.n < ENV_MAX &&
		    (sh.kept[sh.n] = strdup(*envp)) != NULL)
			sh.n++;
	}
}

void
shell_forget(void)
{
	while (sh.n > 0)
		free(sh.kept[--sh.n]);
	free(sh.shell);
	sh.shell = NULL;
}

static const char *
shell_path(void)
{
	if (sh.shell != NULL && access(sh.shell, X_OK) == 0)
		return (sh.shell);
	return (access("/bin/bash", X_OK) == 0 ? "/bin/bash" : "/bin/sh");
}

int
shell_get(struct shell *s)
{
	static char	 term[] = "TERM=xterm-256color";
	static char	 path[sizeof(default_path) + 5];
	size_t		 i, n = 0;
	int		 has_path = 0;

	if (*sh.name == '\0')
		log_warnx("uid %u has no passwd entry", (unsigned)geteuid());
	s->path = shell_path();
	s->home = sh.dir;
	for (i = 0; i < sh.n; i++) {
		has_path |= strncmp(sh.kept[i], "PATH=", 5) == 0;
		sh.env[n++] = sh.kept[i];
	}
	if (!has_path) {
		snprintf(path, sizeof(path), "PATH=%s", default_path);
		sh.env[n++] = path;
	}
	if (snprintf(sh.home, sizeof(sh.home), "HOME=%s", sh.dir) >=
	    (int)sizeof(sh.home) || snprintf(sh.shell_var,
	    sizeof(sh.shell_var), "SHELL=%s", s->path) >=
	    (int)sizeof(sh.shell_var))
		return (-1);
	snprintf(sh.user, sizeof(sh.user), "USER=%s", sh.name);
	snprintf(sh.logname, sizeof(sh.logname), "LOGNAME=%s", sh.name);
	sh.env[n++] = sh.home;
	sh.env[n++] = sh.shell_var;
	if (*sh.name != '\0') {
		sh.env[n++] = sh.user;
		sh.env[n++] = sh.logname;
	}
	sh.env[n++] = term;
	sh.env[n] = NULL;
	s->env = sh.env;
	return (0);
}
