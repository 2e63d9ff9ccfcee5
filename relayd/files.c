/* SPDX-License-Identifier: ISC */
/* Directories and secret files, before anything runs. */
#include <sys/file.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "base/log.h"
#include "relayd.h"

#define SECRET_MIN	32	/* as many as HS256 has */
#define SECRET_FILE_MAX	4096	/* JWT_KEY_MAX of authd */

static int	dir_holds_other(const char *, const char *);
static void	dir_of(const char *, char *, size_t);
static void	dir_make(const char *, mode_t);
static void	store_lock(const char *, int);
static void	store_dir(const struct conf *);
static void	empty_dir(const struct conf *);

void
files_init(void)
{
	store_dir(&env()->conf);
	empty_dir(&env()->conf);
}

static void
dir_of(const char *path, char *dir, size_t size)
{
	char	*slash;

	if (strlcpy(dir, path, size) >= size)
		fatalx("%s: the path is too long", path);
	if ((slash = strrchr(dir, '/')) == NULL)
		fatalx("%s: not an absolute path", path);
	slash[slash == dir] = '\0';
}

/* Does it lie in ours, which the start makes, too? */
static int
is_ours(const char *dir)
{
	size_t	n = strlen(RELAYD_STATEDIR);

	return (strncmp(dir, RELAYD_STATEDIR, n) == 0 && dir[n] == '/');
}

/* Would the start refuse what is not authd's? Then `why` says so. */
static int
store_is_others(const char *dir, const struct stat *st, uid_t uid, char *why,
    size_t size)
{
	char	what[64];

	if (st->st_uid != 0)
		snprintf(what, sizeof(what), "it is owned by uid %u",
		    (unsigned)st->st_uid);
	else if (dir_holds_other(dir, env()->conf.store_path))
		strlcpy(what, "it holds something else", sizeof(what));
	else
		return (0);
	snprintf(why, size, "%s is authd's root: it has to hold the store "
	    "and nothing else, and be owned by root or uid %u: %s", dir,
	    (unsigned)uid, what);
	return (1);
}

/* Of a daemon that is not of root: whoever asks would have started it. */
static void
store_own(const char *dir)
{
	const char	*store = env()->conf.store_path;

	if (faccessat(AT_FDCWD, dir, R_OK | W_OK | X_OK, AT_EACCESS) == -1)
		log_warn("warning: store: %s: uid %u cannot write there", dir,
		    (unsigned)geteuid());
	else if (env()->conf.store_server[0] == '\0' &&
	    faccessat(AT_FDCWD, store, R_OK | W_OK, AT_EACCESS) == -1 &&
	    errno != ENOENT)
		log_warn("warning: store: %s: uid %u cannot write it", store,
		    (unsigned)geteuid());
}

/*
 * Would authd be able to write there? What is root's and holds nothing else the
 * start gives to it.
 */
static void
store_check(const char *dir, const struct stat *st)
{
	char	why[PATH_SIZE_MAX + 160];
	uid_t	uid;
	int	known = users_would(ROLE_AUTHD, &uid) == 0;

	if (known && st->st_uid == uid) {
		if ((st->st_mode & S_IRWXU) != S_IRWXU)
			log_warnx("warning: store: %s: uid %u, whose it is, "
			    "cannot write there", dir, (unsigned)uid);
	} else if (geteuid() != 0)
		store_own(dir);
	else if (known && store_is_others(dir, st, uid, why, sizeof(why)))
		log_warnx("warning: store: %s", why);
}

void
files_check(void)
{
	char		dir[PATH_SIZE_MAX], above[PATH_SIZE_MAX];
	struct stat	st;

	if (env()->conf.looking_group[0] != '\0' &&
	    getgrnam(env()->conf.looking_group) == NULL)
		log_warnx("warning: there is no group %s: only root can use %s",
		    env()->conf.looking_group, env()->conf.looking_path);
	if (env()->conf.n_issuer > 0 &&
	    access(env()->conf.ca_file, R_OK) == -1)
		log_warn("warning: ca file %s", env()->conf.ca_file);
	dir_of(env()->conf.store_path, dir, sizeof(dir));
	dir_of(is_ours(dir) ? RELAYD_STATEDIR : dir, above, sizeof(above));
	if (stat(dir, &st) == 0 && !S_ISDIR(st.st_mode))
		log_warnx("warning: store: %s: not a directory", dir);
	else if (stat(dir, &st) == 0)
		store_check(dir, &st);
	else if (stat(above, &st) == -1 && errno == ENOENT)
		log_warnx("warning: store: there is no directory %s", above);
}

/* The directory alone, not its parents. */
static void
dir_make(const char *dir, mode_t mode)
{
	struct stat	st;

	if (mkdir(dir, mode) == -1 && errno != EEXIST)
		fatal("cannot make the directory %s", dir);
	if (stat(dir, &st) == -1)
		fatal("%s", dir);
	if (!S_ISDIR(st.st_mode))
		fatalx("%s: not a directory", dir);
}

/* Does it hold anything but the store's own files? */
static int
dir_holds_other(const char *dir, const char *store)
{
	const char	*base = strrchr(store, '/') + 1;
	struct dirent	*de;
	DIR		*d;
	int		 other = 0;

	if ((d = opendir(dir)) == NULL)
		fatal("%s", dir);
	while ((de = readdir(d)) != NULL && !other)
		other = strcmp(de->d_name, ".") != 0 &&
		    strcmp(de->d_name, "..") != 0 &&
		    strncmp(de->d_name, base, strlen(base)) != 0;
	closedir(d);
	return (other);
}

/* A file in a directory that may be authd's: never follow what lies there. */
static void
file_own(int dirfd, const char *name, uid_t uid, gid_t gid)
{
	struct stat	st;
	int		fd;

	fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC |
	    O_NONBLOCK);
	if (fd == -1)
		return;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 &&
	    st.st_uid != uid && fchown(fd, uid, gid) == -1)
		fatal("chown %s", name);
	close(fd);
}

/* Two daemons on one store would each believe they know every session. */
static void
store_lock(const char *dir, int fd)
{
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return;
	if (errno == EWOULDBLOCK)
		fatalx("store in %s: another relayd uses it", dir);
	log_warn("store in %s: cannot lock", dir);
}

/*
 * authd's root, which stays open here: the lock lives as long. As root it has
 * to belong to authd's user, and it holds the store and nothing else: whatever
 * lies there, authd can read.
 */
static void
store_dir(const struct conf *conf)
{
	static const char *const	tails[] = { "", "-wal", "-shm" };
	struct env			*e = env();
	struct stat			 st;
	char				 name[PATH_SIZE_MAX + 8], why[PATH_SIZE_MAX + 160];
	uid_t				 uid;
	gid_t				 gid;
	size_t				 i;
	int				 fd;

	dir_of(conf->store_path, e->store_dir, sizeof(e->store_dir));
	if (is_ours(e->store_dir))
		dir_make(RELAYD_STATEDIR, 0711);
	dir_make(e->store_dir, 0700);
	if ((fd = open(e->store_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1
	    || fstat(fd, &st) == -1)
		fatal("%s", e->store_dir);
	store_lock(e->store_dir, fd);
	if (!e->root)
		return;
	users_get(ROLE_AUTHD, &uid, &gid);
	if (st.st_uid != uid) {
		if (store_is_others(e->store_dir, &st, uid, why, sizeof(why)))
			fatalx("%s", why);
		/*
		 * The mode first and group root, so that a root with few
		 * capabilities (as in etc/relayd.service) can do this, and
		 * can still make it authd's root.
		 */
		if (fchmod(fd, 0750) == -1 || fchown(fd, uid, 0) == -1)
			fatal("chown %s", e->store_dir);
	}
	for (i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		snprintf(name, sizeof(name), "%s%s",
		    strrchr(conf->store_path, '/') + 1, tails[i]);
		file_own(fd, name, uid, gid);
	}
}

/* The directory of the control socket, and in it one where nothing is. */
static void
empty_dir(const struct conf *conf)
{
	struct env	*e = env();
	char		 dir[PATH_SIZE_MAX];

	dir_of(conf->control_path, dir, sizeof(dir));
	if (e->root)
		dir_make(dir, 0755);
	if (!e->root)
		return;
	if ((size_t)snprintf(e->empty_dir, sizeof(e->empty_dir), "%s/empty",
	    dir) >= sizeof(e->empty_dir))
		fatalx("%s: the path is too long", dir);
	dir_make(e->empty_dir, 0555);
	if (chown(e->empty_dir, 0, 0) == -1 || chmod(e->empty_dir, 0555) == -1)
		fatal("%s", e->empty_dir);
	if (dir_holds_other(e->empty_dir, "/\n"))
		fatalx("%s: has to be empty", e->empty_dir);
}

/* Without ends of lines behind it: jwt_set_key() and shared_set() do so. */
static off_t
secret_len(int fd, off_t size)
{
	char	last;

	while (size > 0 && pread(fd, &last, 1, size - 1) == 1 &&
	    (last == '\n' || last == '\r'))
		size--;
	return (size);
}

/* What is to be in a file, and who may come near it. */
struct file_rule {
	const char	*what;
	int		 secret;
	off_t		 min, max;
	const char	*size_text;
};

/* What is wrong with it; NULL: nothing. */
static const char *
file_wrong(const struct file_rule *rule, int fd, const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return ("not a regular file");
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return ("has to be owned by root or by the user of relayd");
	if (rule->secret && (st->st_mode & (S_IRWXO | S_IWGRP | S_IXGRP)))
		return ("others can read or write it; chmod 600");
	if (st->st_mode & (S_IWOTH | S_IWGRP))
		return ("others can write it; chmod 644");
	if (st->st_size > rule->max || secret_len(fd, st->st_size) < rule->min)
		return (rule->size_text);
	return (NULL);
}

static int
file_open(const struct file_rule *rule, const char *path, char *err,
    size_t err_size)
{
	struct stat	st;
	const char	*wrong = NULL;
	int		fd, saved = EINVAL;

	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) ==
	    -1 || fstat(fd, &st) == -1) {
		saved = errno;
		wrong = strerror(saved);
	} else
		wrong = file_wrong(rule, fd, &st);
	if (wrong == NULL)
		return (fd);
	snprintf(err, err_size, "%s %s: %s", rule->what, path, wrong);
	if (fd != -1)
		close(fd);
	errno = saved;
	return (-1);
}

int
files_secret(const char *what, const char *path, char *err, size_t err_size)
{
	struct file_rule	rule = { what, 1, SECRET_MIN,
				    SECRET_FILE_MAX,
				    "has to hold 32 to 4096 bytes" };

	return (file_open(&rule, path, err, err_size));
}

int
files_open(const char *what, const char *path, int secret, off_t max,
    char *err, size_t err_size)
{
	struct file_rule	rule = { what, secret, 1, max,
				    "is empty or too long" };

	return (file_open(&rule, path, err, err_size));
}
