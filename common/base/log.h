/* SPDX-License-Identifier: ISC */
#ifndef LOG_H
#define LOG_H

#include <stddef.h>

/*
 * One event, one line, one level. Children write to the parent over LOG_FD
 * (one packet a line: a level byte, then text; with LOG_HAS_REQUEST in that
 * byte a request's id and NUL before the text), because after chroot there is
 * no other way out; the parent prints with the sender's role and pid, which
 * only it knows for sure.
 *
 * The x in a name means "errno says nothing here". errno survives every call.
 * Text that came from a peer must go through log_escape() first.
 */

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG };

#define LOG_LINE_MAX	1024	/* bytes of one line, longer is cut */
#define LOG_WHOLE_MAX	(2 * LOG_LINE_MAX + 512)	/* of one as JSON */
#define LOG_HAS_REQUEST	0x80
/* "%u stream%s", n, PLURAL(n) */
#define PLURAL(n)	((n) == 1 ? "" : "s")

/*
 * Say where lines go: fd >= 0 is a packet pipe to the parent, non-blocking, -1
 * is standard error. `verbose` 0 passes info and above, 1 passes debug too.
 * `role` must be a string that lives on.
 */
void	log_init(const char *role, int fd, int verbose);
void	log_verbose(int verbose);
int	log_is_verbose(void);

/*
 * Lines belong to the request with this id until NULL is said; the end of each
 * message of another process says it (imsg/chan.c). The id is copied.
 */
void	log_request(const char *id);
/* The one of now, "" for none. */
const char	*log_request_now(void);

void	log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void	log_warnx(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void	log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void	log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void	fatal(const char *fmt, ...)
	    __attribute__((format(printf, 1, 2), noreturn));
void	fatalx(const char *fmt, ...)
	    __attribute__((format(printf, 1, 2), noreturn));

/*
 * Print one finished line: the parent, for a child. With time and level, or
 * with its priority alone when a service manager reads standard error.
 */
void	log_line(enum log_level level, const char *line);
/* The same, of a line that says time and level itself. */
void	log_whole(enum log_level level, const char *line);
/* The time of now as a line has it: RFC 3339 in UTC, with milliseconds. */
#define LOG_STAMP_SIZE	32
void	log_stamp(char dst[LOG_STAMP_SIZE]);
const char	*log_level_name(enum log_level);
/* Have our own lines, without role and pid, come to `fn` (the parent). */
void	log_own(void (*fn)(enum log_level, const char *text));
/*
 * Print lines with `fn` instead of to standard error (syslog, in the parent).
 */
void	log_printer(void (*fn)(enum log_level, const char *line));

/*
 * Make untrusted text printable: bytes outside 0x20-0x7e and the backslash
 * become \xNN. Always ends `dst` with NUL, cuts what does not fit (a cut text
 * ends in "..."). Returns dst, so that it can stand in an argument list.
 */
char	*log_escape(char *dst, size_t dst_size, const char *src, size_t len);

#endif
