/* SPDX-License-Identifier: ISC */
/*
 * Would the server of the store let authd in? A child tries, as authd's user
 * and with all that authd has: who answers is not taken at his word by a
 * process that may do more. What it says comes back as a line of text.
 */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "authd/store/pg/where.h"
#include "base/compat.h"
#include "base/log.h"
#include "base/secretfile.h"
#include "doctor.h"

#define APART_FD	16	/* above what it keeps */
#define LOGIN_S		10	/* for all of it */
#define WHY_SIZE	1024
#define CERTS_MAX	65536	/* CA_MAX of authd */

struct login {
	const struct conf	*conf;
	char			*password;	/* NULL: none; zeroed */
	int			 ca;		/* a copy, -1: none */
	uid_t			 uid;
	gid_t			 gid;
};

/* Whom authd runs as; -1: there is nobody. */
static int
find_user(struct login *l)
{
	const struct passwd	*pw = getpwnam(role_info(ROLE_AUTHD)->user);

	if (pw == NULL && l->conf->missing_nobody)
		pw = getpwnam("nobody");
	if (pw == NULL || pw->pw_uid == 0)
		return (-1);
	l->uid = pw->pw_uid;
	l->gid = pw->pw_gid;
	return (0);
}

/* Its user need not be able to read the file. -1 with errno. */
static int
copy_ca(const char *path)
{
	char	 pem[4096];
	ssize_t	 n = -1;
	size_t	 all = 0;
	int	 to = memfd_create("ca", MFD_CLOEXEC), from, saved;

	from = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	while (from != -1 && to != -1 && all < CERTS_MAX &&
	    (n = read(from, pem, sizeof(pem))) > 0) {
		all += (size_t)n;
		if (write(to, pem, (size_t)n) != n)
			break;
	}
	saved = all >= CERTS_MAX ? EFBIG : errno;
	if (from != -1)
		close(from);
	if (n == 0)
		return (to);
	if (to != -1)
		close(to);
	errno = saved;
	return (-1);
}

/*
 * Without PR_SET_DUMPABLE /proc/self/fd, where the copy is opened, would be
 * root's. Other processes of authd's user may look at us then: what we have it
 * has, too.
 */
static int
drop(const struct login *l)
{
	static const struct rlimit	none;

	if (setrlimit(RLIMIT_CORE, &none) == -1 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return (-1);
	if (geteuid() != 0)
		return (0);
	return (setgroups(0, NULL) == -1 ||
	    setresgid(l->gid, l->gid, l->gid) == -1 ||
	    setresuid(l->uid, l->uid, l->uid) == -1 ||
	    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == -1 ? -1 : 0);
}

/*
 * What speaks with a server that need not be an honest one has nothing of whoever
 * called us: no terminal, and no descriptors but these two.
 */
static int
apart(int *out, int *ca)
{
	int	null = open("/dev/null", O_RDWR), a, b = -1, fd;

	(void)setsid();
	if (null == -1 || (a = fcntl(*out, F_DUPFD, APART_FD)) == -1 ||
	    (*ca != -1 && (b = fcntl(*ca, F_DUPFD, APART_FD)) == -1))
		return (-1);
	for (fd = 0; fd <= STDERR_FILENO; fd++)
		if (dup2(null, fd) == -1)
			return (-1);
	*out = STDERR_FILENO + 1;
	if (dup2(a, *out) == -1 || (b != -1 && dup2(b, *out + 1) == -1))
		return (-1);
	*ca = b != -1 ? *out + 1 : -1;
	closefrom(*out + (b != -1 ? 2 : 1));
	return (0);
}

/* In the child: nothing for yes, else why not. */
static int
try(const struct login *l, int out)
{
	PQconninfoOption	*o;
	struct where		 w;
	char			 ca[32], *err = NULL;
	PGconn			*pg;
	int			 at = l->ca;

	signal(SIGALRM, SIG_DFL);
	alarm(LOGIN_S);
	if (apart(&out, &at) == -1 || drop(l) == -1 || clearenv() != 0) {
		dprintf(out, "cannot become authd's user: %s",
		    strerror(errno));
		return (1);
	}
	if ((o = PQconninfoParse(l->conf->store_server, &err)) == NULL) {
		dprintf(out, "%s", err != NULL ? err : "out of memory");
		return (1);
	}
	snprintf(ca, sizeof(ca), "/proc/self/fd/%d", at);
	where_fill(&w, o, l->password, at != -1 ? ca : NULL, "",
	    "relayd doctor");
	pg = PQconnectdbParams(w.key, w.value, 0);
	if (PQstatus(pg) == CONNECTION_OK) {
		PQfinish(pg);
		return (0);
	}
	dprintf(out, "%s", pg != NULL ? PQerrorMessage(pg) : "out of memory");
	return (1);
}

/* The first line that comes out of it, "" if there was none. */
static void
hear(int fd, char *why, size_t size)
{
	char	text[WHY_SIZE / 2];
	size_t	len = 0;
	ssize_t	n;

	while (len < sizeof(text) - 1 &&
	    ((n = read(fd, text + len, sizeof(text) - 1 - len)) > 0 ||
	    (n == -1 && errno == EINTR)))
		len += n > 0 ? (size_t)n : 0;
	text[len] = '\0';
	log_escape(why, size, text, strcspn(text, "\n"));
}

/* Let it try. 0: it is let in; -1: why not. */
static int
ask(const struct login *l, char *why, size_t size)
{
	int	pipefd[2], status = 0;
	pid_t	pid;

	if (pipe(pipefd) == -1 || (pid = fork()) == -1) {
		strlcpy(why, strerror(errno), size);
		return (-1);
	}
	if (pid == 0) {
		close(pipefd[0]);
		_exit(try(l, pipefd[1]));
	}
	close(pipefd[1]);
	hear(pipefd[0], why, size);
	close(pipefd[0]);
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	if (why[0] == '\0' && status != 0)
		snprintf(why, size, WIFSIGNALED(status) &&
		    WTERMSIG(status) == SIGALRM ? "no answer within %d s" :
		    "who tried it ended", LOGIN_S);
	return (why[0] == '\0' ? 0 : -1);
}

static void
cannot_try(const char *what, const char *why)
{
	finding(WARN, "PostgreSQL", "answers", "a login", "whether it lets "
	    "authd in is not known: %s: %s", what, why);
}

void
check_login(const struct conf *c)
{
	struct login	 l = { .conf = c, .ca = -1 };
	const char	*no = NULL;
	char		 why[WHY_SIZE];

	if (geteuid() == 0 && find_user(&l) == -1) {
		cannot_try(role_info(ROLE_AUTHD)->user, "no such user");
		return;
	}
	if (c->store_password_file[0] != '\0' &&
	    (l.password = secret_file_read(c->store_password_file, &no)) ==
	    NULL) {
		cannot_try(c->store_password_file, no);
		return;
	}
	if (c->store_ca_file[0] != '\0' &&
	    (l.ca = copy_ca(c->store_ca_file)) == -1)
		cannot_try(c->store_ca_file, strerror(errno));
	else if (ask(&l, why, sizeof(why)) == 0)
		finding(FINE, "PostgreSQL", "lets us in", "", "%s", "");
	else
		finding(WRONG, "PostgreSQL", "no login", "a login", "%s", why);
	if (l.password != NULL) {
		explicit_bzero(l.password, strlen(l.password));
		free(l.password);
	}
	if (l.ca != -1)
		close(l.ca);
}
