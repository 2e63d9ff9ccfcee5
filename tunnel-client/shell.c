/* SPDX-License-Identifier: ISC */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
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
} shells;

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

	snprintf(shells.dir, sizeof(shells.dir), "%s", pw == NULL ||
	    *pw->pw_dir == '\0' ? "/" : pw->pw_dir);
	snprintf(shells.name, sizeof(shells.name), "%s", pw == NULL ? "" :
	    pw->pw_name);
	for (; *envp != NULL; envp++) {
		if (strncmp(*envp, "SHELL=/", 7) == 0 && shells.shell == NULL)
			shells.shell = strdup(*envp + 6);
		else if (allowed(*envp) && shells.n < ENV_MAX &&
		    (shells.kept[shells.n] = strdup(*envp)) != NULL)
			shells.n++;
	}
}

void
shell_forget(void)
{
	while (shells.n > 0)
		free(shells.kept[--shells.n]);
	free(shells.shell);
	shells.shell = NULL;
}

static const char *
shell_path(void)
{
	if (shells.shell != NULL && access(shells.shell, X_OK) == 0)
		return (shells.shell);
	return (access("/bin/bash", X_OK) == 0 ? "/bin/bash" : "/bin/sh");
}

int
shell_get(struct shell *s)
{
	static char	 term[] = "TERM=xterm-256color";
	static char	 path[sizeof(default_path) + 5];
	size_t		 i, n = 0;
	int		 has_path = 0;

	if (*shells.name == '\0')
		log_warnx("uid %u has no passwd entry", (unsigned)geteuid());
	s->path = shell_path();
	s->home = shells.dir;
	for (i = 0; i < shells.n; i++) {
		has_path |= strncmp(shells.kept[i], "PATH=", 5) == 0;
		shells.env[n++] = shells.kept[i];
	}
	if (!has_path) {
		snprintf(path, sizeof(path), "PATH=%s", default_path);
		shells.env[n++] = path;
	}
	if (snprintf(shells.home, sizeof(shells.home), "HOME=%s", shells.dir) >=
	    (int)sizeof(shells.home) || snprintf(shells.shell_var,
	    sizeof(shells.shell_var), "SHELL=%s", s->path) >=
	    (int)sizeof(shells.shell_var))
		return (-1);
	snprintf(shells.user, sizeof(shells.user), "USER=%s", shells.name);
	snprintf(
	    shells.logname, sizeof(shells.logname), "LOGNAME=%s", shells.name);
	shells.env[n++] = shells.home;
	shells.env[n++] = shells.shell_var;
	if (*shells.name != '\0') {
		shells.env[n++] = shells.user;
		shells.env[n++] = shells.logname;
	}
	shells.env[n++] = term;
	shells.env[n] = NULL;
	s->env = shells.env;
	return (0);
}
