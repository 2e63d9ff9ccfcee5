/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "api.h"
#include "base/clock.h"
#include "base/compat.h"
#include "credentials.h"

#define NAME		"swsrs/credentials.json"
#define FILE_MAX	65536
#define EARLY_S		30	/* it is on its way for a moment */

const char *
cred_path(const char *given)
{
	static char	 path[PATH_MAX];
	const char	*dir = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	int		 n;

	if (given != NULL)
		return (given);
	if (dir != NULL && *dir == '/')
		n = snprintf(path, sizeof(path), "%s/" NAME, dir);
	else if (home != NULL && *home == '/')
		n = snprintf(path, sizeof(path), "%s/.config/" NAME, home);
	else
		return (NULL);
	return (n > 0 && (size_t)n < sizeof(path) ? path : NULL);
}

static cJSON *
read_file(int fd, const char **why)
{
	static char	 text[FILE_MAX];
	struct stat	 sb;
	cJSON		*o;
	ssize_t		 n;

	*why = "others can read or change it, or it is no file of yours";
	if (fstat(fd, &sb) == -1 || !S_ISREG(sb.st_mode) ||
	    sb.st_uid != geteuid() || (sb.st_mode & 077) != 0)
		return (NULL);
	*why = "it cannot be read";
	if ((n = read(fd, text, sizeof(text))) <= 0 ||
	    (size_t)n == sizeof(text))
		return (NULL);
	o = cJSON_ParseWithLength(text, (size_t)n);
	explicit_bzero(text, (size_t)n);
	*why = "it holds no credentials";
	if (*api_text(o, "access_token") == '\0') {
		cJSON_Delete(o);
		o = NULL;
	}
	return (o);
}

cJSON *
cred_load(const char *path, const char **why)
{
	cJSON	*o;
	int	 fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd == -1) {
		*why = errno == ENOENT ? "" : strerror(errno);
		return (NULL);
	}
	o = read_file(fd, why);
	close(fd);
	return (o);
}

/* All above the file, for nobody else. */
static int
make_dirs(const char *path)
{
	char	dir[PATH_MAX], *p;

	if (strlcpy(dir, path, sizeof(dir)) >= sizeof(dir)) {
		errno = ENAMETOOLONG;
		return (-1);
	}
	for (p = dir + 1; (p = strchr(p, '/')) != NULL; *p++ = '/') {
		*p = '\0';
		if (mkdir(dir, 0700) == -1 && errno != EEXIST)
			return (-1);
	}
	return (0);
}

static int
write_all(int fd, const char *p)
{
	size_t	len = strlen(p);
	ssize_t	n;

	for (; len > 0; p += n, len -= (size_t)n)
		if ((n = write(fd, p, len)) == -1)
			return (-1);
	return (fsync(fd));
}

int
cred_save(const char *path, const cJSON *cred)
{
	char	 temp[PATH_MAX], *text;
	int	 fd, e, r = -1;

	if (make_dirs(path) == -1)
		return (-1);
	if ((size_t)snprintf(temp, sizeof(temp), "%s.XXXXXX", path) >=
	    sizeof(temp)) {
		errno = ENAMETOOLONG;
		return (-1);
	}
	if ((text = cJSON_Print(cred)) == NULL) {
		errno = ENOMEM;
		return (-1);
	}
	if ((fd = mkstemp(temp)) != -1) {	/* mode 0600 */
		if (write_all(fd, text) == 0 && rename(temp, path) == 0)
			r = 0;
		e = errno;
		if (r == -1)
			(void)unlink(temp);
		close(fd);
		errno = e;
	}
	freezero(text, strlen(text));
	return (r);
}

int
cred_remove(const char *path)
{
	return (unlink(path) == -1 && errno != ENOENT ? -1 : 0);
}

/* ---- what is in it ---- */

static void
set_text(cJSON *o, const char *name, const char *text)
{
	cJSON_DeleteItemFromObjectCaseSensitive(o, name);
	if (*text != '\0')
		cJSON_AddStringToObject(o, name, text);
}

int
cred_take(cJSON *cred, const cJSON *answer)
{
	const cJSON	*in = cJSON_GetObjectItemCaseSensitive(answer,
			    "expires_in");
	char		 when[64];
	time_t		 t = (time_t)clock_wall();
	struct tm	 tm;

	if (*api_text(answer, "access_token") == '\0')
		return (-1);
	set_text(cred, "access_token", api_text(answer, "access_token"));
	set_text(cred, "token_type", *api_text(answer, "token_type") == '\0' ?
	    "Bearer" : api_text(answer, "token_type"));
	/* A provider that gives no new one means the old one. */
	if (*api_text(answer, "refresh_token") != '\0')
		set_text(cred, "refresh_token",
		    api_text(answer, "refresh_token"));
	set_text(cred, "expiry", "");
	cJSON_DeleteItemFromObjectCaseSensitive(cred, "expires_at");
	if (!cJSON_IsNumber(in) || in->valuedouble < 1 ||
	    in->valuedouble > 1e9)
		return (0);
	t += (time_t)in->valuedouble;
	gmtime_r(&t, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	set_text(cred, "expiry", when);
	return (0);
}

int
cred_is_over(const cJSON *cred)
{
	const cJSON	*at = cJSON_GetObjectItemCaseSensitive(cred,
			    "expires_at");
	const char	*text = api_text(cred, "expiry"), *zone;
	struct tm	 tm = { .tm_isdst = 0 };
	long		 off = 0;

	if (cJSON_IsNumber(at))		/* milliseconds, as others write it */
		return (at->valuedouble / 1000 <
		    (double)clock_wall() + EARLY_S);
	if ((zone = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm)) == NULL)
		return (0);
	zone += strspn(zone, ".0123456789");
	if (*zone == '+' || *zone == '-')
		off = (strtol(zone + 1, NULL, 10) * 60 + (strlen(zone) > 4 ?
		    strtol(zone + 4, NULL, 10) : 0)) * (*zone == '-' ? -60 : 60);
	return (timegm(&tm) - off < clock_wall() + EARLY_S);
}
