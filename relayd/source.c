/* SPDX-License-Identifier: ISC */
/* Where the configuration comes from: a file, or the environment. */
#include <sys/socket.h>
#include <netinet/in.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cfg.h"
#include "envconf.h"
#include "relayd.h"

int
conf_read(struct conf *conf, void (*fn)(void *, int, const char *))
{
	const char	*text = env()->conf_text;

	return (text == NULL ?
	    cfg_parse_file(conf, env()->conf_path, fn, NULL) :
	    cfg_parse_text(conf, "environment", text, strlen(text), fn,
	    NULL));
}

/* A container may be without, whatever is compiled in. */
static int
has_ipv6(void)
{
	struct sockaddr_in6	sin6 = { .sin6_family = AF_INET6 };
	int			fd, r;

	if ((fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)) == -1)
		return (0);
	r = bind(fd, (struct sockaddr *)&sin6, sizeof(sin6));
	close(fd);
	return (r == 0);
}

static void
env_say(void *arg, int error, const char *text)
{
	char	printable[3072];

	(void)arg;
	log_escape(printable, sizeof(printable), text, strlen(text));
	fprintf(stderr, "environment: %s%s\n", error ? "" : "warning: ",
	    printable);
}

int
source_init(int from_env)
{
	struct envconf	 at = { .state = RELAYD_STATEDIR,
	    .has_ipv6 = has_ipv6() };
	char		 runtime[] = RELAYD_SOCKET;

	*strrchr(runtime, '/') = '\0';
	at.runtime = runtime;
	if (from_env)
		env()->conf_text = envconf_make((const char *const *)environ,
		    &at, env_say, NULL);
	envconf_wipe(environ);
	return (from_env && env()->conf_text == NULL ? -1 : 0);
}
