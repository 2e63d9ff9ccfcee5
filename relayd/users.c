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

#define NOBODY	65534	/* where no name leads to one */

static struct role_user {
	uid_t	uid;
	gid_t	gid;
} users[ROLE_COUNT];

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

/* 0, or -1: there is nobody for this role. */
static int
user_init(int role)
{
	const char	*name = role_info(role)->user;

	if (user_find(&users[role], name) == 0)
		return (0);
	if (!env()->conf.missing_nobody) {
		log_warnx("user %s is missing; create it with: useradd "
		    "--system --user-group --home-dir /nonexistent "
		    "--shell /usr/sbin/nologin %s", name, name);
		return (-1);
	}
	if (user_find(&users[role], "nobody") == -1)
		return (-1);
	log_warnx("user %s is missing: %s runs as nobody", name,
	    role_name(role));
	return (0);
}

static int
is_wanted(const struct conf *conf, int role)
{
	return (role_info(role)->user != NULL &&
	    limits_wants(conf, role));
}

void
users_init(void)
{
	int	role, missing = 0;

	if (geteuid() != 0) {
		log_info("not root: off are users of their own and "
		    "empty root directories; on are no_new_privs, Landlock, "
		    "the system-call filter, limits, no core and no tracing");
		return;
	}
	for (role = 0; role < ROLE_COUNT; role++)
		if (is_wanted(&env()->conf, role) && user_init(role) == -1)
			missing++;
	if (missing > 0)
		fatalx("cannot start: %d users are missing; \"missing users "
		    "nobody\" lets one user stand in for all, who can then "
		    "reach each other", missing);
}

void
users_check(void)
{
	struct role_user	 u;
	const char		*name;
	int			 role;

	for (role = 0; role < ROLE_COUNT; role++) {
		name = role_info(role)->user;
		if (is_wanted(&env()->conf, role) &&
		    !env()->conf.missing_nobody && user_find(&u, name) == -1)
			log_warnx("warning: user %s is missing: started by "
			    "root, relayd refuses to run (relayd(8), SETUP)",
			    name);
	}
}

int
users_would(int role, uid_t *uid)
{
	struct role_user	u;

	if (user_find(&u, role_info(role)->user) == -1 &&
	    (!env()->conf.missing_nobody || user_find(&u, "nobody") == -1))
		return (-1);
	*uid = u.uid;
	return (0);
}

int
users_judge(const struct conf *new, char *err, size_t err_size)
{
	int	role;

	for (role = 0; geteuid() == 0 && role < ROLE_COUNT; role++) {
		if (!is_wanted(new, role) || is_wanted(&env()->conf, role) ||
		    user_init(role) == 0)
			continue;
		snprintf(err, err_size, "user %s is missing",
		    role_info(role)->user);
		return (-1);
	}
	return (0);
}

void
users_get(int role, uid_t *uid, gid_t *gid)
{
	*uid = geteuid();
	*gid = getegid();
	if (*uid != 0)
		return;
	if (role_info(role)->user == NULL)
		fatalx("no user for %s", role_name(role));
	*uid = users[role].uid;
	*gid = users[role].gid;
}

void
users_try(int role, uid_t *uid, gid_t *gid)
{
	struct role_user	u = { geteuid(), getegid() };

	if (u.uid == 0 && user_find(&u, role_info(role)->user) == -1 &&
	    user_find(&u, "nobody") == -1)
		u = (struct role_user){ NOBODY, NOBODY };
	*uid = u.uid;
	*gid = u.gid;
}
