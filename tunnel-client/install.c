/* SPDX-License-Identifier: ISC */
/*
 * `tunnel-client install` and `uninstall`: a service of it, by systemd or by
 * procd (OpenWrt), whichever this machine is started by.
 */
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "install.h"
#include "machine.h"

/* etc/tunnel-client.service and .procd, byte by byte. */
__asm__(".pushsection .rodata\n"
    "client_unit: .incbin \"" CLIENT_UNIT "\"\n"
    ".byte 0\n"
    "client_procd: .incbin \"" CLIENT_PROCD "\"\n"
    ".byte 0\n"
    ".popsection\n");
extern const char	client_unit[] __asm__("client_unit");
extern const char	client_procd[] __asm__("client_procd");

extern char		**environ;

#define ORDERS	3

/* What starts services here. */
static const struct manager {
	const char	*name;
	const char	*there;		/* a file that only it has */
	const char	*file;		/* what it reads */
	const char	*packages[3];	/* or that, if a package brought it */
	unsigned	 mode;
	const char	*text;
	const char	*begin;		/* of the line with the program */
	char		*start[ORDERS][4];
	char		*stop[ORDERS][4];
	char		*gone[4];	/* when the file is no longer there */
	const char	*group;		/* the service's, in /proc/self/cgroup */
} managers[] = {
#define W(s)	(char *)(uintptr_t)(s)
#define SYSTEMCTL	W("systemctl")
#define UNIT		W("tunnel-client.service")
#define PROCD		"/etc/init.d/tunnel-client"
	{ "systemd", "/run/systemd/system",
	    "/etc/systemd/system/tunnel-client.service",
	    { "/usr/lib/systemd/system/tunnel-client.service",
	    "/lib/systemd/system/tunnel-client.service" }, 0644, client_unit,
	    "ExecStart=",
	    { { SYSTEMCTL, W("daemon-reload") }, { SYSTEMCTL, W("enable"),
	    UNIT }, { SYSTEMCTL, W("restart"), UNIT } },
	    { { SYSTEMCTL, W("disable"), UNIT }, { SYSTEMCTL, W("stop"),
	    UNIT } }, { SYSTEMCTL, W("daemon-reload") },
	    "/tunnel-client.service" },
	{ "procd", "/sbin/procd", PROCD, { NULL }, 0755, client_procd,
	    "PROGRAM=",
	    { { W(PROCD), W("enable") }, { W(PROCD), W("restart") } },
	    { { W(PROCD), W("disable") }, { W(PROCD), W("stop") } },
	    { NULL }, NULL },
};
#define NMANAGERS	(sizeof(managers) / sizeof(managers[0]))

static int
is_there(const char *path)
{
	return (access(machine_path(path), F_OK) == 0);
}

static const struct manager *
manager(void)
{
	size_t	i;

	for (i = 0; i < NMANAGERS; i++)
		if (is_there(managers[i].there))
			return (&managers[i]);
	return (NULL);
}

/* Run it to its end. 0, or -1 after a word. */
static int
run(char *const *words)
{
	char	*env[] = { program_path(), NULL };
	char	 program[PATH_MAX];
	int	 status = 0;
	pid_t	 pid;

	strlcpy(program, words[0][0] == '/' ? machine_path(words[0]) :
	    words[0], sizeof(program));
	if ((pid = fork()) == 0) {
		environ = env;
		(void)execvp(program, words);
		_exit(127);
	}
	while (pid != -1 && waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	if (pid != -1 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return (0);
	fprintf(stderr, "tunnel-client: %s %s: it has failed\n", program,
	    words[1]);
	return (-1);
}

static int
run_all(char *const (*orders)[4])
{
	int	i, r = 0;

	for (i = 0; i < ORDERS && orders[i][0] != NULL; i++)
		if (run(orders[i]) == -1)
			r = -1;
	return (r);
}

/* The file with this program and its configuration in it. */
static char *
service_text(const struct manager *m, const char *conf)
{
	char		 own[PATH_MAX], *text = NULL;
	const char	*at;
	size_t		 len;
	ssize_t		 n = readlink("/proc/self/exe", own, sizeof(own) - 1);
	FILE		*f;
	int		 bad;

	if (n <= 0 || (at = strstr(m->text, m->begin)) == NULL ||
	    (f = open_memstream(&text, &len)) == NULL) {
		fprintf(stderr, "tunnel-client: which program is this?\n");
		return (NULL);
	}
	own[n] = '\0';
	(void)fwrite(m->text, 1, (size_t)(at - m->text), f);
	fprintf(f, m->begin[0] == 'E' ? "%s%s --config %s" :
	    "%s\"%s --config %s\"", m->begin, own, conf);
	fputs(at + strcspn(at, "\n"), f);
	bad = ferror(f);
	if (fclose(f) == EOF || bad) {
		free(text);
		return (NULL);
	}
	return (text);
}

static int
write_service(const struct manager *m, const char *conf)
{
	char	*text;
	size_t	 i;
	int	 r;

	for (i = 0; i < 3 && m->packages[i] != NULL; i++)
		if (is_there(m->packages[i])) {
			printf("tunnel-client: %s is there\n", m->packages[i]);
			return (0);
		}
	if ((text = service_text(m, conf)) == NULL)
		return (-1);
	r = install_file(machine_path(m->file), m->mode, text);
	free(text);
	return (r);
}

static int
write_conf(const struct options *o, const char *conf)
{
	char	 path[PATH_MAX], *text, *line;
	int	 r = -1;

	strlcpy(path, machine_path(TUNNEL_CLIENT_SECRET), sizeof(path));
	if ((text = install_conf(o, path)) == NULL)
		return (-1);
	if (asprintf(&line, "%s\n", o->secret) == -1)
		fprintf(stderr, "tunnel-client: out of memory\n");
	else {
		if (install_file(path, 0600, line) == 0)
			r = install_file(conf, 0600, text);
		freezero(line, strlen(line));
	}
	freezero(text, strlen(text));
	return (r);
}

int
install(const struct options *o)
{
	const struct manager	*m = manager();
	char			 conf[PATH_MAX];

	strlcpy(conf, machine_path(TUNNEL_CLIENT_CONF), sizeof(conf));
	if (write_conf(o, conf) == -1)
		return (EXIT_WRONG);
	if (m == NULL) {
		fprintf(stderr, "tunnel-client: neither systemd nor procd runs "
		    "here: nothing starts it; have that done: tunnel-client "
		    "--config %s\n", conf);
		return (EXIT_WRONG);
	}
	if (write_service(m, conf) == -1 || run_all(m->start) == -1)
		return (EXIT_WRONG);
	printf("tunnel-client: %s has started it; tunnel-client status\n",
	    m->name);
	return (EXIT_DONE);
}

/* 0; -1 after a word: it is still there. */
static int
take_away(const char *path)
{
	const char	*at = machine_path(path);

	if (unlink(at) == 0) {
		printf("tunnel-client: removed %s\n", at);
		return (0);
	}
	if (errno == ENOENT)
		return (0);
	fprintf(stderr, "tunnel-client: %s: %s\n", at, strerror(errno));
	return (-1);
}

/* Are we in a terminal of the service, which ends with it? 1 or 0. */
static int
is_inside(const struct manager *m)
{
	char		 line[PATH_MAX];
	const char	*at;
	FILE		*f;
	int		 r = 0;

	if (m->group == NULL ||
	    (f = fopen(machine_path("/proc/self/cgroup"), "re")) == NULL)
		return (0);
	while (!r && fgets(line, sizeof(line), f) != NULL)
		r = (at = strstr(line, m->group)) != NULL &&
		    strchr("/\n", at[strlen(m->group)]) != NULL;
	fclose(f);
	return (r);
}

int
uninstall(void)
{
	const struct manager	*m = manager();
	int			 r = 0;

	if (m != NULL && is_inside(m)) {
		fprintf(stderr, "tunnel-client: nothing is removed: this "
		    "terminal is the service's, and would end half-way; beside "
		    "it: systemd-run tunnel-client uninstall\n");
		return (EXIT_WRONG);
	}
	if (m != NULL && (is_there(m->file) || is_there(TUNNEL_CLIENT_CONF)))
		r = run_all(m->stop);
	if (m != NULL && is_there(m->file)) {
		if (take_away(m->file) == -1)
			r = -1;
		if (m->gone[0] != NULL && run(m->gone) == -1)
			r = -1;
	}
	if (take_away(TUNNEL_CLIENT_CONF) == -1 ||
	    take_away(TUNNEL_CLIENT_SECRET) == -1 ||
	    take_away(TUNNEL_CLIENT_STATEDIR "/consent") == -1)
		r = -1;
	/* Users that could not be deleted are still written down there. */
	(void)rmdir(machine_path(TUNNEL_CLIENT_STATEDIR));
	return (r == -1 ? EXIT_WRONG : EXIT_DONE);
}
