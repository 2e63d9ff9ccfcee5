/* SPDX-License-Identifier: ISC */
#ifndef COMPAT_H
#define COMPAT_H

#include <sys/types.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

/*
 * What the BSDs have and this system's C library may lack. Semantics are those
 * of the OpenBSD manual pages; the words here are a reminder.
 */

#ifndef HAVE_STRLCPY
/*
 * Copy with a NUL at the end whenever size > 0. Returns strlen(src): a result
 * >= size means the copy was cut, which callers treat as an error.
 */
size_t	strlcpy(char *dst, const char *src, size_t size);
#endif

#ifndef HAVE_STRLCAT
/* Append likewise; returns the length it tried to make. */
size_t	strlcat(char *dst, const char *src, size_t size);
#endif

#ifndef HAVE_STRTONUM
/*
 * A decimal number in [min, max], nothing after it. On error returns 0, sets
 * errno and points *errstr at "invalid", "too small" or "too large"; otherwise
 * *errstr is NULL. errstr may be NULL.
 */
long long strtonum(const char *s, long long min, long long max,
	    const char **errstr);
#endif

#ifndef HAVE_REALLOCARRAY
/* realloc(p, n * size), or NULL with ENOMEM if that does not fit a size_t. */
void	*reallocarray(void *p, size_t n, size_t size);
#endif

#ifndef HAVE_RECALLOCARRAY
/*
 * Resize an array of old_n members (p NULL: 0) to n: new members are zero, the
 * old memory is wiped when it is given back. NULL and errno on failure, with
 * p untouched.
 */
void	*recallocarray(void *p, size_t old_n, size_t n, size_t size);
#endif

#ifndef HAVE_EXPLICIT_BZERO
/* Zero memory that is not read again; the compiler keeps it. */
void	explicit_bzero(void *p, size_t len);
#endif

#ifndef HAVE_FREEZERO
/* Wipe `len` bytes of p, then free it; p may be NULL. */
void	freezero(void *p, size_t len);
#endif

#ifndef HAVE_CLOSEFROM
/* Close every descriptor >= low. */
void	closefrom(int low);
#endif

#ifdef RELAYD_SANITIZE
/*
 * Sanitizer builds only, before the sandbox: point descriptor 2, and what the
 * sanitizers have to say, at the file $RELAYD_SANITIZE_LOG.PID, which nobody
 * could open later. Nothing happens when the variable is not set.
 */
void	compat_sanitize_report(void);
#endif

/*
 * Linux 6.16, younger than the C library: include/uapi/asm-generic/socket.h,
 * and the two machines whose numbers are their own (arch/{parisc,sparc}).
 */
#ifndef SO_PASSRIGHTS
#if defined(__sparc__)
#define SO_PASSRIGHTS	0x005c
#elif defined(__hppa__)
#define SO_PASSRIGHTS	0x4051
#else
#define SO_PASSRIGHTS	83
#endif
#endif

#endif
