/* SPDX-License-Identifier: ISC */
/*
 * Whether keyd would start with a certificate, asked before it does: wrong files
 * are an error of the configuration, and not a process that ends again and again.
 */
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "relayd.h"
#include "tls/certcheck.h"
#include "upgrade.h"

#define BEGIN	"-----BEGIN CERTIFICATE-----"
#define LATE_S	30	/* one that says nothing */

/* In one message, so that none can come alone. 0 or -1. */
static int
files_send(int s, const int *fd, size_t n)
{
	union {
		struct cmsghdr	head;
		char		space[CMSG_SPACE(sizeof(int) *
				    CERTCHECK_FILES)];
	}		 control;
	char		 byte = 0;
	struct iovec	 iov = { &byte, 1 };
	struct msghdr	 m = { .msg_iov = &iov, .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = CMSG_SPACE(sizeof(int) * n) };

	memset(&control, 0, sizeof(control));
	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(sizeof(int) * n);
	memcpy(CMSG_DATA(&control.head), fd, sizeof(int) * n);
	return (sendmsg(s, &m, MSG_NOSIGNAL) == 1 ? 0 : -1);
}

static pid_t
keyd_start(int s, const char *chain, const char *member)
{
	char	 name[] = "keyd", word[] = CERTCHECK_WORD;
	char	 user[16], group[16], file[PATH_SIZE_MAX], own[MEMBER_SIZE];
	char	*argv[] = { name, word, user, group, file, own, NULL };
	uid_t	 uid;
	gid_t	 gid;

	users_try(ROLE_KEYD, &uid, &gid);
	snprintf(user, sizeof(user), "%u", (unsigned)uid);
	snprintf(group, sizeof(group), "%u", (unsigned)gid);
	snprintf(file, sizeof(file), "%s", chain);
	snprintf(own, sizeof(own), "%s", member);
	return (spawn_check(ROLE_KEYD, argv, s));
}

/* What it says, and how it ends. */
static int
keyd_hear(int s, pid_t pid, char *line, size_t size)
{
	struct timeval	late = { .tv_sec = LATE_S };
	ssize_t		n;
	int		status;

	(void)setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &late, sizeof(late));
	while ((n = recv(s, line, size - 1, 0)) == -1 && errno == EINTR)
		continue;
	line[n > 0 ? n : 0] = '\0';
	if (n == -1)
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return (CERTCHECK_FAILED);
	return (WIFEXITED(status) ? WEXITSTATUS(status) : CERTCHECK_FAILED);
}

static int
ask_keyd(const char *chain, const int *fd, const char *member, char *line,
    size_t size)
{
	int	s[2], how = CERTCHECK_FAILED;
	pid_t	pid;

	snprintf(line, size, "cert %s: keyd cannot look at it", chain);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s) == -1)
		return (CERTCHECK_FAILED);
	pid = files_send(s[0], fd, member[0] != '\0' ? 3 : 2) == 0 ?
	    keyd_start(s[1], chain, member) : -1;
	close(s[1]);
	if (pid != -1) {
		how = keyd_hear(s[0], pid, line, size);
		if (line[0] == '\0')
			snprintf(line, size, "cert %s: keyd has ended as it "
			    "looked at it", chain);
	} else
		snprintf(line, size, "keyd: cannot be started: %s",
		    strerror(errno));
	close(s[0]);
	return (how);
}

/* Does a certificate begin in it? All else about it is for tlsd to say. */
static int
has_cert(const char *path, char *err, size_t err_size)
{
	static char	text[CERT_FILE_MAX + 1];
	size_t		len = 0;
	ssize_t		n;
	int		fd = files_open(CERT_CA_FILE, path, 0, CERT_FILE_MAX, err,
			    err_size);

	if (fd == -1)
		return (-1);
	while (len < CERT_FILE_MAX &&
	    (n = read(fd, text + len, CERT_FILE_MAX - len)) > 0)
		len += (size_t)n;
	close(fd);
	if (memmem(text, len, BEGIN, sizeof(BEGIN) - 1) != NULL)
		return (0);
	snprintf(err, err_size, CERT_CA_FILE " %s: no certificate in PEM", path);
	errno = EINVAL;
	return (-1);
}

/* Those listeners with tls that other members come to. */
static uint32_t
peer_places(const struct conf *conf)
{
	uint32_t	mask = 0;
	unsigned	i, place = 0;

	for (i = 0; i < conf->n_listen; i++) {
		if (!(conf->listen[i].flags & LISTEN_TLS))
			continue;
		if (conf->listen[i].flags & LISTEN_PEER)
			mask |= 1U << place;
		place++;
	}
	return (mask);
}

/* What keyd says of one: enum certcheck, -1 where a file cannot be had. */
static int
look_at(const struct conf *conf, const struct conf_cert *ce, char *err,
    size_t err_size)
{
	int	fd[CERTCHECK_FILES] = { -1, -1, -1 }, how = -1, saved;
	int	shown = conf->cluster_ca_file[0] != '\0' &&
		    (ce->listeners & peer_places(conf)) != 0;

	if ((fd[0] = files_open("cert", ce->chain, 0, CERT_FILE_MAX, err,
	    err_size)) != -1 && (fd[1] = files_open("key", ce->key, 1,
	    CERT_FILE_MAX, err, err_size)) != -1 && (!shown || (fd[2] =
	    files_open(CERT_CA_FILE, conf->cluster_ca_file, 0, CERT_FILE_MAX, err,
	    err_size)) != -1)) {
		/* Behind an upgrade's look nothing is refused any more. */
		how = takeover_how() >= TAKEOVER_NEW ? CERTCHECK_GOOD :
		    ask_keyd(ce->chain, fd, shown ? conf->cluster_name : "",
		    err, err_size);
		errno = EINVAL;
	}
	saved = errno;
	for (shown = 0; shown < CERTCHECK_FILES; shown++)
		if (fd[shown] != -1)
			close(fd[shown]);
	errno = saved;
	return (how);
}

/* Of a listener with several the one that has its name is shown to members. */
int
certs_check(const struct conf *conf, char *err, size_t err_size)
{
	char		stranger[CERTCHECK_LINE] = "";
	uint32_t	places = peer_places(conf);
	int		how, believed = 0;
	unsigned	i;

	if (conf->cluster_ca_file[0] != '\0' &&
	    has_cert(conf->cluster_ca_file, err, err_size) == -1)
		return (-1);
	for (i = 0; i < conf->n_cert; i++) {
		how = look_at(conf, &conf->cert[i], err, err_size);
		if (how == CERTCHECK_STRANGER)
			snprintf(stranger, sizeof(stranger), "%s", err);
		else if (how != CERTCHECK_GOOD)
			return (-1);
		believed |= how == CERTCHECK_GOOD &&
		    (conf->cert[i].listeners & places) != 0;
	}
	if (!believed && stranger[0] != '\0')
		log_warnx("warning: %s", stranger);
	return (0);
}
