/* SPDX-License-Identifier: ISC */
/*
 * What an ACME client has put into the directory of challenges (RFC 8555, 8.3)
 * goes to every proxyd when it changes, so that no process that is spoken to by
 * the network opens a file, nor asks us to. What is there is small, in few
 * words, and for everybody to read: else it is no challenge.
 */
#include <sys/inotify.h>
#include <sys/stat.h>

#include <event2/event.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "base/log.h"
#include "relayd.h"

#define CHALLENGES	"/.well-known/acme-challenge"
#define EVENTS	(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | \
	IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

static struct {
	struct event		*ev;
	char			 dir[PATH_SIZE_MAX];
	struct challenge {
		char	token[ACME_TOKEN_SIZE], text[ACME_TEXT_SIZE];
	}			 v[ACME_MAX];
	unsigned		 n;
} acme;

/* Letters of base64url, and where `dots` are allowed those, to the end. */
static int
is_words(const char *s, int dots)
{
	size_t	n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrst"
		    "uvwxyz0123456789-_");

	if (n == 0)
		return (0);
	if (dots && s[n] == '.')
		return (is_words(s + n + 1, 0));
	return (s[n] == '\0');
}

/* One file. 0, or -1: it is none of these. */
static int
acme_read(int dirfd, const char *name, struct challenge *c)
{
	struct stat	st;
	ssize_t		n = -1;
	int		fd;

	if (!is_words(name, 0) || strlcpy(c->token, name, sizeof(c->token)) >=
	    sizeof(c->token) || (fd = openat(dirfd, name, O_RDONLY |
	    O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)) == -1)
		return (-1);
	/* Another name of a secret file is no challenge. */
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 &&
	    (st.st_mode & S_IROTH) && st.st_size < ACME_TEXT_SIZE)
		n = read(fd, c->text, sizeof(c->text) - 1);
	close(fd);
	if (n <= 0)
		return (-1);
	c->text[n] = '\0';
	c->text[strcspn(c->text, "\r\n")] = '\0';
	return (is_words(c->text, 1) ? 0 : -1);
}

static void
acme_look(void)
{
	struct dirent	*de;
	DIR		*d = opendir(acme.dir);

	acme.n = 0;
	while (d != NULL && acme.n < ACME_MAX && (de = readdir(d)) != NULL) {
		if (acme_read(dirfd(d), de->d_name, &acme.v[acme.n]) == 0)
			acme.n++;
		else if (de->d_name[0] != '.')
			log_debug("acme directory: what is there is no "
			    "challenge, or not whole yet");
	}
	if (d != NULL)
		closedir(d);
}

/* The first forgets what was; without a token it is all there is to say. */
int
acme_send(struct child *to)
{
	unsigned	i;
	int		r;

	if (acme.ev == NULL)
		return (0);
	r = say_challenge(to->chan, 0, -1, &(struct msg_challenge){ .anew = 1,
	    .token = "", .text = "" });
	for (i = 0; i < acme.n; i++)
		r |= say_challenge(to->chan, 0, -1, &(struct msg_challenge){
		    .token = acme.v[i].token, .text = acme.v[i].text });
	return (r);
}

static int
acme_watch(int fd)
{
	return (inotify_add_watch(fd, acme.dir, EVENTS));
}

static void
acme_event(evutil_socket_t fd, short what, void *arg)
{
	char		 buf[4096] __attribute__((aligned(8)));
	struct child	*c;

	(void)what;
	(void)arg;
	while (read(fd, buf, sizeof(buf)) > 0)
		continue;
	if (acme_watch(fd) == -1)
		log_warn("acme directory %s", acme.dir);
	acme_look();
	for (c = child_after(0); c != NULL; c = child_after(c->instance))
		if ((role_info(c->role)->flags & RF_DOORS) && c->chan != NULL)
			(void)acme_send(c);
}

/* The two directories below, which an ACME client would remove again. */
static void
acme_make(const char *root)
{
	char	*slash;

	if ((size_t)snprintf(acme.dir, sizeof(acme.dir), "%s%s", root,
	    CHALLENGES) >= sizeof(acme.dir))
		fatalx("acme directory: the path is too long");
	slash = strrchr(acme.dir, '/');
	*slash = '\0';
	if (mkdir(acme.dir, 0755) == -1 && errno != EEXIST)
		fatal("acme directory %s", acme.dir);
	*slash = '/';
	if (mkdir(acme.dir, 0755) == -1 && errno != EEXIST)
		fatal("acme directory %s", acme.dir);
}

void
acme_init(void)
{
	int	fd;

	if (env()->conf.acme_dir[0] == '\0')
		return;
	acme_make(env()->conf.acme_dir);
	if ((fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) == -1 ||
	    acme_watch(fd) == -1)
		fatal("acme directory %s", acme.dir);
	acme.ev = event_new(env()->base, fd, EV_READ | EV_PERSIST, acme_event,
	    NULL);
	if (acme.ev == NULL || event_add(acme.ev, NULL) == -1)
		fatalx("acme directory: out of memory");
	acme_look();
}

void
acme_clear(void)
{
	if (acme.ev == NULL)
		return;
	close(event_get_fd(acme.ev));
	event_free(acme.ev);
	acme.ev = NULL;
}
