/* SPDX-License-Identifier: ISC */
/* What the kernel says. */
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "doctor.h"

/* A test has a tree of its own that is looked at first. */
static FILE *
open_at(const char *path)
{
#ifdef RELAYD_TESTING
	const char	*root = getenv("DOCTOR_ROOT");
	char		 at[1024];
	FILE		*f;

	snprintf(at, sizeof(at), "%s%s", root == NULL ? "" : root, path);
	if (root != NULL && (f = fopen(at, "re")) != NULL)
		return (f);
#endif
	return (fopen(path, "re"));
}

int
look_line(const char *path, const char *begin, char *line, size_t size)
{
	char	 text[512];
	size_t	 len = strlen(begin);
	FILE	*f = open_at(path);
	int	 r = -1;

	if (f == NULL)
		return (-1);
	while (r == -1 && fgets(text, sizeof(text), f) != NULL)
		if (strncmp(text, begin, len) == 0) {
			text[strcspn(text, "\n")] = '\0';
			strlcpy(line, text + len, size);
			r = 0;
		}
	fclose(f);
	return (r);
}

int
look(const char *path, const char *then, uint64_t *n)
{
	char	line[512], word[24];

	if (look_line(path, then, line, sizeof(line)) == -1 ||
	    sscanf(line, "%23s", word) != 1)
		return (-1);
	if (strcmp(word, "max") == 0 || strcmp(word, "unlimited") == 0) {
		*n = UNLIMITED;
		return (0);
	}
	return (sscanf(word, "%" SCNu64, n) == 1 ? 0 : -1);
}

/* Who has begun to listen there is the parent. */
pid_t
running(const struct conf *c)
{
	struct sockaddr_un	sun = { .sun_family = AF_UNIX };
	struct ucred		peer;
	socklen_t		len = sizeof(peer);
	pid_t			pid = 0;
	int			fd;

	strlcpy(sun.sun_path, c->control_path, sizeof(sun.sun_path));
	if ((fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC,
	    0)) == -1)
		return (0);
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0) {
		if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0)
			pid = peer.pid;
	} else if (errno == EACCES)
		finding(WARN, "control socket", "permission denied", "",
		    "ask as root, or as somebody whom %s is for",
		    c->control_path);
	close(fd);
	return (pid);
}
