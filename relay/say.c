/* SPDX-License-Identifier: ISC */
#include <event2/event.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "relay.h"

struct relay	relay;

void
say_clear(void)
{
	if (relay.line)
		fprintf(stderr, "\r\033[K");
	relay.line = 0;
}

void
say(const char *fmt, ...)
{
	char	text[1024], shown[2048];
	va_list	ap;

	if (relay.quiet)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_escape(shown, sizeof(shown), text, strlen(text));
	say_clear();
	fprintf(stderr, "relay: %s\n", shown);
}

void
tool_ready(const char *why)
{
	if (relay.ready == 0)
		return;
	if (dprintf(relay.ready, why == NULL ? "+" : "-%s",
	    why != NULL ? why : "") < 0)
		say("--ready: nobody is there");
	close(relay.ready);
	relay.ready = 0;
}

void
tool_end(int status)
{
	say_clear();
	relay.status = status;
	relay.ended = 1;
	event_base_loopbreak(relay.base);
}
