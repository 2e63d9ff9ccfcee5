/* SPDX-License-Identifier: ISC */
/*
 * Stand-ins for functions that configure did not find (compat.h). Pure code,
 * linked into every program.
 */

#ifdef RELAYD_SANITIZE
#include <sanitizer/common_interface_defs.h>
#endif

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "compat.h"

#ifndef HAVE_STRLCPY
size_t
strlcpy(char *dst, const char *src, size_t size)
{
	size_t	 len = strlen(src), n;

	if (size > 0) {
		n = len < size ? len : size - 1;
		memcpy(dst, src, n);
		dst[n] = '\0';
	}
	return (len);
}
#endif

#ifndef HAVE_STRLCAT
size_t
strlcat(char *dst, const char *src, size_t size)
{
	size_t	 used = strnlen(dst, size), len = strlen(src), n;

	if (used < size) {
		n = len < size - used ? len : size - used - 1;
		memcpy(dst + used, src, n);
		dst[used + n] = '\0';
	}
	return (used + len);
}
#endif

#ifndef HAVE_STRTONUM
long long
strtonum(const char *s, long long min, long long max, const char **errstr)
{
	const char	*why = NULL;
	char		*end;
	long long	 n = 0;
	int		 saved = errno, error = 0;

	errno = 0;
	if (min > max) {
		why = "invalid";
		error = EINVAL;
	} else {
		n = strtoll(s, &end, 10);
		if (end == s || *end != '\0') {
			why = "invalid";
			error = EINVAL;
		} else if (n < min || (errno == ERANGE && n == LLONG_MIN)) {
			why = "too small";
			error = ERANGE;
		} else if (n > max || (errno == ERANGE && n == LLONG_MAX)) {
			why = "too large";
			error = ERANGE;
		}
	}
	errno = error != 0 ? error : saved;
	if (errstr != NULL)
		*errstr = why;
	return (why == NULL ? n : 0);
}
#endif

#ifndef HAVE_REALLOCARRAY
void *
reallocarray(void *p, size_t n, size_t size)
{
	if (size != 0 && n > SIZE_MAX / size) {
		errno = ENOMEM;
		return (NULL);
	}
	return (realloc(p, n * size));
}
#endif

#ifndef HAVE_EXPLICIT_BZERO
void
explicit_bzero(void *p, size_t len)
{
	memset(p, 0, len);
	/* The memory may be read by this statement, as far as anyone knows. */
	__asm__ volatile ("" : : "r" (p) : "memory");
}
#endif

#ifndef HAVE_FREEZERO
void
freezero(void *p, size_t len)
{
	if (p == NULL)
		return;
	explicit_bzero(p, len);
	free(p);
}
#endif

#ifndef HAVE_RECALLOCARRAY
void *
recallocarray(void *p, size_t old_n, size_t n, size_t size)
{
	void	*q;
	size_t	 keep;

	if (p == NULL)
		return (calloc(n, size));
	if (size != 0 && (n > SIZE_MAX / size || old_n > SIZE_MAX / size)) {
		errno = n > SIZE_MAX / size ? ENOMEM : EINVAL;
		return (NULL);
	}
	if ((q = calloc(n, size)) == NULL)
		return (NULL);
	keep = (old_n < n ? old_n : n) * size;
	memcpy(q, p, keep);
	freezero(p, old_n * size);
	return (q);
}
#endif

#ifndef HAVE_CLOSEFROM
void
closefrom(int low)
{
	long	 fd, max;

	if ((max = sysconf(_SC_OPEN_MAX)) == -1)
		max = 1024;
	for (fd = low; fd < max; fd++)
		close((int)fd);
}
#endif

#ifdef RELAYD_SANITIZE
void
compat_sanitize_report(void)
{
	const char	*prefix;
	char		 path[PATH_MAX];
	int		 fd, n;

	if ((prefix = getenv("RELAYD_SANITIZE_LOG")) == NULL)
		return;
	n = snprintf(path, sizeof(path), "%s.%ld", prefix, (long)getpid());
	if (n < 0 || (size_t)n >= sizeof(path))
		return;
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd == -1)
		return;
	dup2(fd, STDERR_FILENO);
	if (fd != STDERR_FILENO)
		close(fd);
	__sanitizer_set_report_fd((void *)(uintptr_t)STDERR_FILENO);
}
#endif
