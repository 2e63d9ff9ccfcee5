/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "command.h"
#include "connect.h"
#include "consent.h"
#include "gate.h"
#include "local.h"
#include "terminal.h"

static int	no_terminal, no_commands;

/* `why` follows the name of what is refused, if that has one. */
static void
say_no(struct stream *st, const char *why)
{
	char	line[256];

	snprintf(line, sizeof(line), "ERROR %s\n", why);
	if (stream_send(st, line, strlen(line)) == -1)
		stream_reset(st);
	else
		stream_done(st);
}

/* 1: there is no consent, and the stream is over. */
static int
no_consent(struct stream *st)
{
	char	what[160], why[160];

	if (consent_admits())
		return (0);
	if (st->service != NULL)
		snprintf(what, sizeof(what), "the service %s", st->service);
	else
		snprintf(what, sizeof(what), "a %s", st->kind);
	consent_asked(what);
	snprintf(why, sizeof(why), "no consent: %s", consent_why_not());
	say_no(st, why);
	return (1);
}

/* The customer's no, as early as it can be said. */
static void
not_here(struct stream *st, const char *why)
{
	log_info("stream %u: %s: refused, as configured", yamux_id(st->ys),
	    st->kind);
	say_no(st, why);
}

static void
gate_connect(struct stream *st, const char *service, const uint8_t *p,
    size_t len)
{
	if (!no_consent(st))
		connect_start(st, service, p, len);
}

static void
gate_terminal(struct stream *st, const uint8_t *p, size_t len)
{
	if (no_terminal)
		not_here(st, "terminal: the customer gives no terminal");
	else if (!no_consent(st))
		terminal_start(st, p, len);
}

static void
gate_command(struct stream *st, const char *version, const uint8_t *p,
    size_t len)
{
	if (no_commands)
		not_here(st, "the customer lets nobody add services");
	else if (!no_consent(st))
		command_start(st, version, p, len);
}

static const struct stream_kinds	kinds = { gate_connect,
    gate_terminal, gate_command };

const struct stream_kinds *
gate_init(const struct options *o)
{
	no_terminal = o->no_terminal;
	no_commands = o->no_commands;
	local_init(o->no_local_targets);
	return (&kinds);
}
