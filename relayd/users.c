/* SPDX-License-Identifier: ISC */
/* The users that the roles drop to. */
#include <sys/types.h>

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "relayd.h"

static struct role_user {
	int		 role;
	const char	*name;
	uid_t		 uid;
	gid_t		 gid;
} users[] = {
	{ ROLE_CONTROL,	"_relayd", 0, 0 },
	{ ROLE_AUTHD,	"_relayauth", 0, 0 },
	{ ROLE_PROXYD,	"_relayproxy", 0, 0 },
	{ ROLE_MUXD,	"_relaymux", 0, 0 },
	{ ROLE_TERMD,	"_relayterm", 0, 0 },
};

#define NUSERS	(sizeof(users) / sizeof(users[0]))

static int
user_find(struct role_user *u, const char *name)
{
	const struct passwd	*pw;

	if ((pw = getpwnam(name)) == NULL || pw->pw_uid == 0)
		return (-1);
	u->uid = pw->pw_uid;
	u->gid = pw->pw_gid;
	return (0);
}

void
users_init(int foreground)
{
	size_t	i;
	int	missing = 0;

	if (geteuid() != 0) {
		log_info("not root: children keep this user, no chroot");
		return;
	}
	for (i = 0; i < NUSERS; i++) {
		if (user_find(&users[i], users[i].name) == 0)
			continue;
		if (!foreground) {
			log_warnx("user %s is missing; create it with: useradd "
			    "--system --user-group --home-dir /nonexistent "
			    "--shell /usr/sbin/nologin %s", users[i].name,
			    users[i].name);
			missing++;
		} else if (user_find(&users[i], "nobody") == 0)
			log_warnx("user %s is missing: %s runs as nobody",
			    users[i].name, role_name(users[i].role));
		else
			missing++;
	}
	if (missing > 0)
		fatalx("cannot start: %d users are missing", missing);
}

void
users_get(int role, uid_t *uid, gid_t *gid)
{
	size_t	i;

	*uid = geteuid();
	*gid = getegid();
	if (*uid != 0)
		return;
	for (i = 0; i < NUSERS; i++) {
		if (users[i].role != role)
			continue;
		*uid = users[i].uid;
		*gid = users[i].gid;
		return;
	}
	fatalx("no user for %s", role_name(role));
}
