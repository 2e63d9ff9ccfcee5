/* SPDX-License-Identifier: ISC */
/* Files with secrets that authd is given, each by an open descriptor. */
#include <errno.h>
#include <stddef.h>
#include <unistd.h>

#include "base/log.h"
#include "relayd.h"

#define ERR_SIZE	1200
#define TEXT_MAX	4096	/* JWT_KEY_MAX of authd */
#define CERTS_MAX	65536	/* CA_MAX of authd */

static const struct keyfile {
	uint8_t		 kind;
	const char	*what;
	size_t		 path;		/* in struct conf; "": there is none */
} keyfiles[] = {
	{ KEY_JWT, "jwt secret file", offsetof(struct conf, jwt_secret_file) },
	{ KEY_STORE, "store password file",
	    offsetof(struct conf, store_password_file) },
	{ KEY_REDIS, "redis password file",
	    offsetof(struct conf, redis_password_file) },
	{ KEY_INTERNAL, "internal secret file",
	    offsetof(struct conf, internal_secret_file) },
	{ KEY_INVALIDATE, "redis secret file",
	    offsetof(struct conf, redis_secret_file) },
	{ KEY_CLUSTER, "cluster secret file",
	    offsetof(struct conf, cluster_secret_file) },
	{ KEY_STORE_CA, "store ca file", offsetof(struct conf, store_ca_file) },
};

#define KEYFILES	(sizeof(keyfiles) / sizeof(keyfiles[0]))

static const char *
keyfile_path(const struct keyfile *k)
{
	return ((const char *)&env()->conf + k->path);
}

static int
keyfile_open(const struct keyfile *k, char *err, size_t size)
{
	return (k->kind == KEY_JWT || k->kind == KEY_CLUSTER ?
		    files_secret(k->what, keyfile_path(k), err, size) :
		    files_open(k->what, keyfile_path(k),
		    k->kind != KEY_STORE_CA, k->kind == KEY_STORE_CA ?
		    CERTS_MAX : TEXT_MAX, err, size));
}

int
keyfiles_check(int check)
{
	char	err[ERR_SIZE];
	size_t	i;
	int	fd, saved;

	for (i = 0; i < KEYFILES; i++) {
		if (keyfile_path(&keyfiles[i])[0] == '\0')
			continue;
		if ((fd = keyfile_open(&keyfiles[i], err, sizeof(err))) != -1) {
			close(fd);
			continue;
		}
		saved = errno;
		if (!check)
			fatalx("%s", err);
		log_warnx("%s", err);
		if (geteuid() == 0 || saved != EACCES)
			return (-1);
	}
	return (0);
}

void
keyfiles_send(struct child *c)
{
	char	err[ERR_SIZE];
	size_t	i;
	int	fd;

	for (i = 0; i < KEYFILES; i++) {
		if (keyfile_path(&keyfiles[i])[0] == '\0')
			continue;
		fd = keyfile_open(&keyfiles[i], err, sizeof(err));
		if (fd == -1)
			log_warnx("%s", err);
		else
			(void)say_keyfile(c->chan, 0, fd,
			    &(struct msg_keyfile){ .kind = keyfiles[i].kind });
	}
}
