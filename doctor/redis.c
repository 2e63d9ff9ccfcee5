/* SPDX-License-Identifier: ISC */
/*
 * Would Redis let authd in? It is asked what authd asks it first, AUTH, SELECT
 * and PING, and of an answer no more is read than a line: that is whoever
 * listens there.
 */
#include <sys/socket.h>
#include <sys/time.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/compat.h"
#include "base/log.h"
#include "base/secretfile.h"
#include "doctor.h"

#define ANSWER_S	3	/* for all of them */
#define LINE		256

/* A command of `n` words; 0, or -1. */
static int
say(int fd, const char *const *word, int n)
{
	char	head[32];
	int	i, len = snprintf(head, sizeof(head), "*%d\r\n", n);

	if (send(fd, head, (size_t)len, MSG_NOSIGNAL | MSG_MORE) != len)
		return (-1);
	for (i = 0; i < n; i++) {
		size_t	size = strlen(word[i]);

		len = snprintf(head, sizeof(head), "$%zu\r\n", size);
		if (send(fd, head, (size_t)len, MSG_NOSIGNAL | MSG_MORE) !=
		    len ||
		    send(fd, word[i], size, MSG_NOSIGNAL | MSG_MORE) !=
		    (ssize_t)size ||
		    send(fd, "\r\n", 2, MSG_NOSIGNAL) != 2)
			return (-1);
	}
	return (0);
}

/* A line of an answer, without its end; -1: none, or none in time. */
static int
hear(int fd, time_t until, char line[LINE])
{
	size_t	len = 0;

	while (len < LINE - 1 && time(NULL) <= until &&
	    recv(fd, line + len, 1, 0) == 1) {
		if (line[len] == '\n') {
			line[len] = '\0';
			line[strcspn(line, "\r")] = '\0';
			return (0);
		}
		len++;
	}
	return (-1);
}

/* 0: it is content with a command; else what was found, and why not. */
static const char *
ask(int fd, time_t until, const char *const *word, int n, char why[LINE])
{
	char	line[LINE];

	strlcpy(why, "is it Redis that listens there?", LINE);
	if (say(fd, word, n) == -1 || hear(fd, until, line) == -1)
		return ("no answer");
	if (line[0] == '+')
		return (NULL);
	if (line[0] != '-')
		return ("another answer");
	(void)log_escape(why, LINE, line + 1, strlen(line + 1));
	return ("no login");
}

static const char *
greet(const struct conf *c, int fd, const char *password, char why[LINE])
{
	const char	*word[3], *found = NULL;
	char		 number[16];
	time_t		 until = time(NULL) + ANSWER_S;
	int		 n = 0;

	word[n++] = "AUTH";
	if (c->redis_user[0] != '\0')
		word[n++] = c->redis_user;
	word[n++] = password;
	if (password != NULL)
		found = ask(fd, until, word, n, why);
	snprintf(number, sizeof(number), "%u", (unsigned)c->redis_number);
	word[0] = "SELECT";
	word[1] = number;
	if (found == NULL)
		found = ask(fd, until, word, 2, why);
	word[0] = "PING";
	return (found != NULL ? found : ask(fd, until, word, 1, why));
}

void
check_redis(const struct conf *c, int fd)
{
	const struct timeval	 tv = { .tv_sec = ANSWER_S };
	const char		*no = NULL, *found;
	char			*password = NULL, why[LINE];

	if (c->redis_password_file[0] != '\0' &&
	    (password = secret_file_read(c->redis_password_file, &no)) ==
	    NULL) {
		finding(WARN, "Redis", "listens", "a login", "whether it lets "
		    "authd in is not known: %s: %s", c->redis_password_file,
		    no);
		return;
	}
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == -1 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) == -1)
		finding(WARN, "Redis", "listens", "a login", "%s", "whether it "
		    "lets authd in cannot be tried");
	else if ((found = greet(c, fd, password, why)) == NULL)
		finding(FINE, "Redis", "lets us in", "", "%s", "");
	else
		finding(WRONG, "Redis", found, "a login", "%s", why);
	if (password != NULL)
		freezero(password, strlen(password));
}
