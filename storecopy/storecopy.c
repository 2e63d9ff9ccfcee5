/* SPDX-License-Identifier: ISC */
/*
 * relayctl store copy: everything of one store into another, which is empty,
 * from SQLite to a PostgreSQL server or back. It is run by hand while no relayd
 * uses either: a store that goes on being written would be a copy already old
 * when it is made, and what was acknowledged in between would be lost.
 *
 * May touch: the two stores and the file with the password. It talks to nobody
 * but the server. As root it becomes who owns the file's directory, which is
 * authd's user, before it reads what that user may have written.
 * One transaction on each side: what ends on the way has copied nothing.
 */
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "base/conninfo.h"
#include "base/secretfile.h"
#include "relayctl/output.h"
#include "storecopy.h"

#define EXIT_USAGE	2

static struct {
	const struct end	*from, *to;
	int64_t			 n;	/* rows of a table */
} copy;

static void
usage(void)
{
	fprintf(stderr, "usage: relayctl [-j] store copy from to "
	    "[password file] [ca file]\n");
	exit(EXIT_USAGE);
}

static int
is_path(const char *s)
{
	return (s[0] == '/');
}

static void
check_place(const char *s)
{
	unsigned	port;
	char		why[160];

	if (is_path(s))
		return;
	if (conninfo_check(s, &port, why, sizeof(why)) == -1) {
		fprintf(stderr, "relayctl: \"%s\" is neither the path of a "
		    "file nor a server: %s\n", s, why);
		exit(EXIT_USAGE);
	}
}

static void
become(const char *dir, uid_t uid, gid_t gid)
{
	const struct passwd	*pw = getpwuid(uid);

	if (pw != NULL)
		gid = pw->pw_gid;
	if (setgroups(0, NULL) == -1 || setgid(gid) == -1 ||
	    setuid(uid) == -1)
		fail("cannot become the owner of %s", dir);
}

/* The lock is relayd's own; it lives as long as we do. */
static void
take(const char *path)
{
	char		 dir[1024];
	struct stat	 st;
	int		 fd;

	if (strlcpy(dir, path, sizeof(dir)) >= sizeof(dir))
		fail("%s: the path is too long", path);
	*(strrchr(dir, '/') + (strrchr(dir, '/') == dir)) = '\0';
	if ((fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1 ||
	    fstat(fd, &st) == -1)
		fail("%s: there is no such directory", dir);
	if (flock(fd, LOCK_EX | LOCK_NB) == -1)
		fail("a relayd uses %s: it has to be stopped", dir);
	if (geteuid() == 0 && st.st_uid != 0)
		become(dir, st.st_uid, st.st_gid);
}

/* A copy, which can be read whoever we become. */
static const char *
keep_ca(const char *path)
{
	static char	name[40];
	char		buf[4096];
	ssize_t		n;
	int		from = open(path, O_RDONLY | O_CLOEXEC);
	int		to = memfd_create("ca", MFD_CLOEXEC);

	if (from == -1 || to == -1)
		fail("ca file %s: %s", path, strerror(errno));
	while ((n = read(from, buf, sizeof(buf))) > 0)
		if (write(to, buf, (size_t)n) != n)
			fail("ca file %s: %s", path, strerror(errno));
	close(from);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", to);
	return (name);
}

static void
copy_row(const struct table *t, const struct value *v)
{
	copy.to->write(t, v);
	copy.n++;
}

static void
say(struct rows *out, const char *table, int64_t n)
{
	char	number[24];

	snprintf(number, sizeof(number), "%lld", (long long)n);
	if (rows_add(out, 2) == -1 || rows_cell(out, table) == -1 ||
	    rows_cell(out, n == -1 ? "rows" : number) == -1)
		fail("out of memory");
}

static void
copy_table(const struct table *t, struct rows *out)
{
	copy.n = 0;
	copy.from->read(t, copy_row);
	copy.to->written(t);
	if (copy.n != copy.from->count(t) || copy.n != copy.to->count(t))
		fail("%s: %lld rows were read, there are %lld, and %lld in "
		    "the copy", t->name, (long long)copy.n,
		    (long long)copy.from->count(t),
		    (long long)copy.to->count(t));
	say(out, t->name, copy.n);
}

static void
copy_all(struct rows *out)
{
	size_t	i;
	int64_t	n;

	for (i = 0; i < ntables; i++)
		if ((n = copy.to->count(&tables[i])) != 0)
			fail("where it is to go is not empty: %s has %lld "
			    "row%s", tables[i].name, (long long)n,
			    n == 1 ? "" : "s");
	say(out, "table", -1);
	for (i = 0; i < ntables; i++)
		copy_table(&tables[i], out);
}

int
main(int argc, char **argv)
{
	struct rows	*out = rows_new();
	const char	*why = NULL;
	char		*password = NULL;
	struct with	 with;
	unsigned long	 before = 0;
	int		 json = argc > 1 && strcmp(argv[1], "-j") == 0;

	argv += 1 + json;
	argc -= 1 + json;
	if (out == NULL || argc != 4)
		usage();
	check_place(argv[0]);
	check_place(argv[1]);
	if (is_path(argv[0]) == is_path(argv[1])) {
		fprintf(stderr, "relayctl: one of them has to be a file and "
		    "the other a server\n");
		exit(EXIT_USAGE);
	}
	umask(077);
	signal(SIGPIPE, SIG_IGN);
	if (argv[2][0] != '\0' &&
	    (password = secret_file_read(argv[2], &why)) == NULL)
		fail("password file %s: %s", argv[2], why);
	with.password = password;
	with.ca = argv[3][0] != '\0' ? keep_ca(argv[3]) : NULL;
	take(argv[is_path(argv[0]) ? 0 : 1]);
	copy.from = is_path(argv[0]) ? &lite_end : &server_end;
	copy.to = is_path(argv[1]) ? &lite_end : &server_end;
	copy.from->open(argv[0], &with, 0);
	copy.to->open(argv[1], &with, 1);
	copy_all(out);
	copy.to->commit();
	copy.from->commit();
	if (json) {
		(void)rows_json(out, &before, stdout);
		rows_json_end(before, stdout);
	} else {
		rows_table(out, 1, stdout);
	}
	return (fflush(stdout) == 0 ? 0 : CANNOT_COPY);
}
