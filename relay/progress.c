/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "progress.h"
#include "relay.h"

#define EACH_MS		1000
#define LINE_SIZE	80

static struct {
	struct timer	timer;
	uint64_t	since_ms;
	uint64_t	sent, received;	/* when it was shown last */
} line;

static int
is_here(void)
{
	return (!relay.quiet && isatty(STDERR_FILENO));
}

void
progress_show(const char *fmt, ...)
{
	char	text[LINE_SIZE], shown[2 * LINE_SIZE];
	va_list	ap;

	if (line.since_ms == 0)
		line.since_ms = clock_ms();
	if (!is_here())
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_escape(shown, sizeof(shown), text, strlen(text));
	fprintf(stderr, "\r%.*s\033[K", LINE_SIZE - 1, shown);
	fflush(stderr);
	relay.line = 1;
}

char *
progress_time(char dst[16])
{
	uint64_t	s = line.since_ms == 0 ? 0 :
			    (clock_ms() - line.since_ms) / 1000;

	if (s >= 3600)
		snprintf(dst, 16, "%u:%02u:%02u", (unsigned)(s / 3600),
		    (unsigned)(s / 60 % 60), (unsigned)(s % 60));
	else
		snprintf(dst, 16, "%u:%02u", (unsigned)(s / 60),
		    (unsigned)(s % 60));
	return (dst);
}

/* Three digits and a unit. */
static char *
human(uint64_t bytes, char dst[16])
{
	static const char	units[] = "BKMGTPE";
	double			n = (double)bytes;
	size_t			i = 0;

	for (; n >= 1000 && units[i + 1] != '\0'; i++)
		n /= 1024;
	snprintf(dst, 16, i > 0 && n < 10 ? "%.1f %c%s" : "%.0f %c%s", n,
	    units[i], i > 0 ? "iB" : "");
	return (dst);
}

static void
bytes_due(void *arg)
{
	char		sent[16], received[16], rate[16], time[16];
	uint64_t	moved = relay.sent - line.sent + relay.received -
			    line.received;

	(void)arg;
	timer_set(&line.timer, EACH_MS);
	progress_show("%s sent, %s received, %s/s, %s", human(relay.sent, sent),
	    human(relay.received, received), human(moved, rate),
	    progress_time(time));
	line.sent = relay.sent;
	line.received = relay.received;
}

void
progress_bytes(int out)
{
	if (!is_here() || (out && isatty(STDOUT_FILENO)))
		return;
	line.since_ms = clock_ms();
	timer_init(&line.timer, bytes_due, NULL);
	timer_set(&line.timer, EACH_MS);
}
