/* SPDX-License-Identifier: ISC */
/* The configuration: what relayd -n says of it, and who may write it. */
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "doctor.h"

#define LINES	32	/* of relayd -n that are shown */

/* The relayd that we are of, and where its programs are. */
static const char *
relayd_program(char *libexec, size_t size)
{
	static char	at[PATH_MAX];
	char		own[PATH_MAX];
	ssize_t		n = readlink("/proc/self/exe", own, sizeof(own) - 1);

	strlcpy(libexec, RELAYD_LIBEXECDIR, size);
	if (n <= 0)
		return (RELAYD_PROGRAM);
	own[n] = '\0';
	snprintf(at, sizeof(at), "%.4000s/../bin/relayd", dirname(own));
	if (access(at, X_OK) == -1)
		return (RELAYD_PROGRAM);
	strlcpy(libexec, own, size);
	return (at);
}

static void
run_relayd(int out, const char *conf_path)
{
	char		 libexec[PATH_MAX];
	const char	*program = relayd_program(libexec, sizeof(libexec));

	if (dup2(out, STDERR_FILENO) != -1)
		(void)execl(program, "relayd", "-n", "-f", conf_path, "-L",
		    libexec, (char *)NULL);
	dprintf(out, "%s: %s\n", program, strerror(errno));
	_exit(1);
}

/* Each line is a finding: a warning, or why it would not start. */
static void
hear(FILE *f)
{
	static const char	warning[] = "warning: ";
	char			line[1024], *text;
	int			n = 0, warns;

	while (fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (n++ >= LINES || strcmp(line, "configuration OK") == 0)
			continue;
		text = line;
		if ((warns = strncmp(line, warning, strlen(warning)) == 0))
			text += strlen(warning);
		else	/* behind a place in the file */
			warns = strstr(line, ": warning: ") != NULL;
		finding(warns || strncmp(line, "no jwt", 6) == 0 ? WARN : WRONG,
		    "configuration", "", "", "%s", text);
	}
}

static void
ask_relayd(const char *conf_path)
{
	int	pipefd[2], status = 0;
	pid_t	pid;
	FILE	*f;

	if (pipe(pipefd) == -1 || (pid = fork()) == -1 ||
	    (f = fdopen(pipefd[0], "r")) == NULL) {
		finding(WRONG, "configuration", strerror(errno), "", "%s", "");
		return;
	}
	if (pid == 0) {
		close(pipefd[0]);
		run_relayd(pipefd[1], conf_path);
	}
	close(pipefd[1]);
	hear(f);
	fclose(f);
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	if (status == 0)
		finding(FINE, "configuration", conf_path, "", "%s", "");
	else
		finding(WRONG, "configuration", conf_path, "one that relayd "
		    "takes", "relayd does not start; see above");
}

void
check_file(const char *conf_path)
{
	struct stat	st;

	ask_relayd(conf_path);
	if (stat(conf_path, &st) == -1)
		return;
	if ((st.st_uid != 0 && st.st_uid != geteuid()) ||
	    (st.st_mode & (S_IWGRP | S_IWOTH)))
		finding(WRONG, "its owner and mode", st.st_uid != 0 ?
		    "somebody's" : "others can write it", "root's, 640",
		    "chown root %s; chmod 640 %s: who writes it decides what "
		    "relayd does as root", conf_path, conf_path);
	else
		finding(FINE, "its owner and mode", "good", "", "%s", "");
}
