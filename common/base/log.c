/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "request.h"

static void	log_v(enum log_level, int, const char *, va_list);
static void	log_emit(enum log_level, const char *);

static struct {
	const char	*role;
	int		 fd;
	int		 verbose;
	unsigned long	 dropped;	/* the parent did not read in time */
	void		(*printer)(enum log_level, const char *);
	void		(*own)(enum log_level, const char *);
	char		 request[REQUEST_SIZE];	/* "": none */
} log_state = { .role = "relayd", .fd = -1 };

static const char *const level_names[] = { "error", "warn", "info", "debug" };

void
log_init(const char *role, int fd, int verbose)
{
	log_state.role = role;
	log_state.fd = fd;
	log_state.verbose = verbose;
}

void
log_verbose(int verbose)
{
	log_state.verbose = verbose;
}

int
log_is_verbose(void)
{
	return (log_state.verbose > 0);
}

void
log_request(const char *id)
{
	size_t	n = id != NULL ? strnlen(id, REQUEST_SIZE - 1) : 0;

	if (n > 0)
		memmove(log_state.request, id, n);
	log_state.request[n] = '\0';
}

const char *
log_request_now(void)
{
	return (log_state.request);
}

static int
log_packet(enum log_level level, const char *text)
{
	char	pkt[1 + REQUEST_SIZE + LOG_LINE_MAX];
	size_t	len = strnlen(text, LOG_LINE_MAX), n = 1;

	pkt[0] = (char)level;
	if (log_state.request[0] != '\0') {
		pkt[0] = (char)(level | LOG_HAS_REQUEST);
		n += strlen(log_state.request);
		memcpy(pkt + 1, log_state.request, n - 1);
		pkt[n++] = '\0';
	}
	memcpy(pkt + n, text, len);
	return (write(log_state.fd, pkt, n + len) == -1 ? -1 : 0);
}

/*
 * A full log channel must never stop a worker: the line is lost, and the next
 * one that passes says how many were.
 */
static void
log_send(enum log_level level, const char *text)
{
	char	lost[64];

	if (log_state.dropped > 0) {
		snprintf(lost, sizeof(lost), "%lu log lines lost",
		    log_state.dropped);
		if (log_packet(LOG_LEVEL_WARN, lost) == 0)
			log_state.dropped = 0;
	}
	if (log_packet(level, text) == -1)
		log_state.dropped++;
}

void
log_printer(void (*fn)(enum log_level, const char *))
{
	log_state.printer = fn;
}

void
log_own(void (*fn)(enum log_level, const char *))
{
	log_state.own = fn;
}

/*
 * Does a service manager read standard error? It has the time, and takes the
 * priority from the beginning of a line (systemd.exec(5), JOURNAL_STREAM).
 */
static int
log_is_journal(void)
{
	const char		*stream = getenv("JOURNAL_STREAM");
	unsigned long long	 dev, ino;
	struct stat		 st;

	return (stream != NULL && sscanf(stream, "%llu:%llu", &dev, &ino) ==
	    2 && fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev &&
	    st.st_ino == ino);
}

/* One write each, so that lines of several writers do not mix. */
static void
log_stderr(const char *before, const char *line)
{
	char	out[LOG_WHOLE_MAX + 64];
	int	n;

	n = snprintf(out, sizeof(out) - 1, "%s%s", before, line);
	if (n > (int)sizeof(out) - 2)
		n = sizeof(out) - 2;
	out[n++] = '\n';
	if (write(STDERR_FILENO, out, (size_t)n) == -1)
		log_state.dropped++;
}

void
log_stamp(char dst[LOG_STAMP_SIZE])
{
	struct timespec	 ts;
	struct tm	 tm;
	char		 s[32];

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	strftime(s, sizeof(s), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(dst, LOG_STAMP_SIZE, "%s.%03dZ", s,
	    (int)(ts.tv_nsec / 1000000));
}

const char *
log_level_name(enum log_level level)
{
	return (level_names[level]);
}

/* To a printer or a service manager, which know time and level: 1; 0. */
static int
log_handed(enum log_level level, const char *line)
{
	static const char	priorities[] = "3467";
	char			before[4] = { '<', priorities[level], '>', 0 };

	if (log_state.printer != NULL)
		log_state.printer(level, line);
	else if (log_is_journal())
		log_stderr(before, line);
	else
		return (0);
	return (1);
}

void
log_line(enum log_level level, const char *line)
{
	char	stamp[LOG_STAMP_SIZE], before[LOG_STAMP_SIZE + 8];

	if (log_handed(level, line))
		return;
	log_stamp(stamp);
	snprintf(before, sizeof(before), "%s %s ", stamp, level_names[level]);
	log_stderr(before, line);
}

void
log_whole(enum log_level level, const char *line)
{
	if (!log_handed(level, line))
		log_stderr("", line);
}

static void
log_emit(enum log_level level, const char *text)
{
	char	line[LOG_LINE_MAX + 32];

	if (log_state.fd != -1) {
		log_send(level, text);
		return;
	}
	if (log_state.own != NULL) {
		log_state.own(level, text);
		return;
	}
	snprintf(line, sizeof(line), "%s[%d]: %s", log_state.role,
	    (int)getpid(), text);
	log_line(level, line);
}

__attribute__((format(printf, 3, 0))) static void
log_v(enum log_level level, int err, const char *fmt, va_list ap)
{
	char	text[LOG_LINE_MAX];
	int	saved = errno, n;

	if (level == LOG_LEVEL_DEBUG && !log_state.verbose)
		return;
	n = vsnprintf(text, sizeof(text), fmt, ap);
	if (err != 0 && n >= 0 && n < (int)sizeof(text))
		snprintf(text + n, sizeof(text) - (size_t)n, ": %s",
		    strerror(err));
	log_emit(level, text);
	errno = saved;
}

#define LOG_BODY(level, err) do {					\
	va_list	ap;							\
									\
	va_start(ap, fmt);						\
	log_v(level, err, fmt, ap);					\
	va_end(ap);							\
} while (0)

void
log_warn(const char *fmt, ...)
{
	LOG_BODY(LOG_LEVEL_WARN, errno);
}

void
log_warnx(const char *fmt, ...)
{
	LOG_BODY(LOG_LEVEL_WARN, 0);
}

void
log_info(const char *fmt, ...)
{
	LOG_BODY(LOG_LEVEL_INFO, 0);
}

void
log_debug(const char *fmt, ...)
{
	LOG_BODY(LOG_LEVEL_DEBUG, 0);
}

void
fatal(const char *fmt, ...)
{
	LOG_BODY(LOG_LEVEL_ERROR, errno);
	exit(1);
}

void
fatalx(const char *fmt, ...)
{
	LOG_BODY(LOG_LEVEL_ERROR, 0);
	exit(1);
}

char *
log_escape(char *dst, size_t dst_size, const char *src, size_t len)
{
	static const char	hex[] = "0123456789abcdef";
	size_t			i, n = 0, width, cut = 0;
	unsigned char		c;

	for (i = 0; i < len; i++) {
		c = (unsigned char)src[i];
		width = c >= 0x20 && c < 0x7f && c != '\\' ? 1 : 4;
		if (n + width >= dst_size)
			break;
		if (width == 1)
			dst[n++] = (char)c;
		else {
			dst[n++] = '\\';
			dst[n++] = 'x';
			dst[n++] = hex[c >> 4];
			dst[n++] = hex[c & 15];
		}
		if (n + 4 <= dst_size)
			cut = n;	/* "..." would fit here */
	}
	if (i < len && dst_size >= 4) {
		memcpy(dst + cut, "...", 3);
		n = cut + 3;
	}
	if (dst_size > 0)
		dst[n] = '\0';
	return (dst);
}
