/* SPDX-License-Identifier: ISC */
#include <sys/statfs.h>

#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "machine.h"

#define PATHS	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

char *
program_path(void)
{
	static char	path[1024];

#ifdef RELAYD_TESTING
	if (getenv("TUNNEL_CLIENT_ROOT") != NULL)
		snprintf(path, sizeof(path), "PATH=%s/bin:%s",
		    getenv("TUNNEL_CLIENT_ROOT"), PATHS);
	else
#endif
		strlcpy(path, "PATH=" PATHS, sizeof(path));
	return (path);
}

const char *
machine_path(const char *path)
{
#ifdef RELAYD_TESTING
	static char	buf[1024];

	if (getenv("TUNNEL_CLIENT_ROOT") != NULL) {
		snprintf(buf, sizeof(buf), "%s%s",
		    getenv("TUNNEL_CLIENT_ROOT"), path);
		return (buf);
	}
#endif
	return (path);
}

int
machine_forgets(const char *path)
{
	struct statfs	fs;
	char		at[1024], *slash;

	if (strlcpy(at, path, sizeof(at)) >= sizeof(at))
		return (0);
	/* Its directory may not be there yet. */
	while ((slash = strrchr(at, '/')) != NULL) {
		slash[slash == at] = '\0';
		if (statfs(at, &fs) == 0)
			return (fs.f_type == TMPFS_MAGIC ||
			    fs.f_type == RAMFS_MAGIC);
		if (slash == at)
			break;
	}
	return (0);
}
